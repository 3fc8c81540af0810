"""Another name of this machine: browsers are redirected to the canonical one, and other clients are served."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.fixtures.browsers.scripted import HTML
from tests.fixtures.servers.ports import requires_ipv6
from tests.fixtures.stack.commands import RunningStack

pytestmark = pytest.mark.xdist_group("stacks")

OTHER_NAMES = ["127.0.0.1", pytest.param("[::1]", marks=requires_ipv6)]
SENT_WITH_A_NAVIGATION = {"accept": HTML, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


def get(url: str, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.get(url, headers=headers, trust_env=False, timeout=30)


@pytest.mark.parametrize("name", OTHER_NAMES)
@pytest.mark.parametrize(
    "path", ["/", "/api/v1/auth/login?return_to=/%3Fa=b&c", "/docs", "/nothing/here", "//evil.example/"]
)
def test_a_browser_is_redirected_with_path_and_query(base: str, name: str, path: str) -> None:
    response = get(base.replace("localhost", name) + path, SENT_WITH_A_NAVIGATION)
    assert (response.status_code, response.headers["location"]) == (307, base + path)
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_clients_are_served(base: str, name: str) -> None:
    other = base.replace("localhost", name)
    assert get(f"{other}/api/v1/health/live", {}).status_code == 200
    assert get(f"{other}/api/v1/auth/login", {"accept": "application/json"}).status_code == 200
    assert get(f"{other}/idp/.well-known/openid-configuration", {}).json()["issuer"] == f"{base}/idp"
    # A page's script; without a redirect it gets an error that it can show.
    refused = get(f"{other}/api/v1/auth/validate", {"accept": HTML, "sec-fetch-mode": "cors"})
    assert refused.json()["error"]["code"] == "AUTH_007"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "127.0.0.1:1"])
def test_a_foreign_name_is_never_redirected(base: str, host: str) -> None:
    port = urlsplit(base).port
    response = get(f"{base}/", {**SENT_WITH_A_NAVIGATION, "host": host if ":" in host else f"{host}:{port}"})
    assert response.status_code == 200
    assert "location" not in response.headers


def test_a_path_cannot_change_the_host(base: str) -> None:
    port = urlsplit(base).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=30) as connection:
        connection.sendall(
            f"GET @evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))
    assert b"evil.example" not in received.split(b"\r\n\r\n")[0]


NO_COOKIES = "browsers send no cookies of localhost from pages of 127.0.0.1."
OPEN_THE_OTHER = f"Open the app at http://localhost:5173, which ALLOWED_ORIGINS has: {NO_COOKIES}"


def post(url: str, origin: str, cookie: str = "") -> httpx2.Response:
    headers = {"origin": origin, "cookie": cookie, "accept": "application/json"}
    return httpx2.post(url, headers=headers, trust_env=False, timeout=30)


@pytest.mark.parametrize(
    ("origin", "detail"),
    [
        ("http://127.0.0.1:5173", OPEN_THE_OTHER),
        (
            "http://127.0.0.1:4200",
            f"Add http://localhost:4200 to ALLOWED_ORIGINS if it is your app, and open the app there: {NO_COOKIES}",
        ),
        ("http://localhost:4200", "Add http://localhost:4200 to ALLOWED_ORIGINS if it is your app."),
    ],
)
def test_a_page_of_an_origin_that_is_not_allowed_learns_where_to_open_it(base: str, origin: str, detail: str) -> None:
    refused = post(f"{base}/api/v1/auth/logout", origin, "__Host-tg_session=x")
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    assert (refused.json()["error"]["code"], refused.json()["error"]["detail"]) == ("AUTH_021", detail)
    login = get(f"{base}/api/v1/auth/login?redirect_uri={origin}/callback", {"origin": origin})
    assert login.status_code == 400
    assert login.json()["error"]["detail"] == f"redirect_uri: its origin is not in ALLOWED_ORIGINS. {detail}"


def preflight(base: str, origin: str) -> httpx2.Response:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    return httpx2.request("OPTIONS", f"{base}/api/v1/auth/callback", headers=asked, trust_env=False, timeout=30)


def test_the_terminal_of_dev_names_the_setting_once_although_no_function_gets_a_preflight(
    gateway: RunningStack,
) -> None:
    for _ in range(3):
        assert "access-control-allow-origin" not in preflight(gateway.url, "http://127.0.0.1:8080").headers
    said = (
        "WARNING the origin http://127.0.0.1:8080 is refused. "
        f"Open the app at http://localhost:8080, which ALLOWED_ORIGINS has: {NO_COOKIES}"
    )
    gateway.wait_for_line(lambda line: line == said)
    assert gateway.lines.count(said) == 1


def test_the_containers_log_names_the_setting_once(container: RunningStack) -> None:
    for _ in range(3):
        assert "access-control-allow-origin" not in preflight(container.url, "http://127.0.0.1:8080").headers
    line = container.wait_for_line(lambda line: "http://127.0.0.1:8080" in line)
    assert '"message":"the origin of a page is not in ALLOWED_ORIGINS"' in line
    assert f"Open the app at http://localhost:8080, which ALLOWED_ORIGINS has: {NO_COOKIES}" in line
    assert sum("http://127.0.0.1:8080" in line for line in container.lines) == 1


def test_scripts_may_read_the_gateways_request_id(base: str) -> None:
    response = get(f"{base}/api/v1/health/live", {"origin": "http://localhost:5173"})
    exposed = response.headers["access-control-expose-headers"].split(",")
    assert {"apigw-requestid", "x-request-id"} <= set(exposed)
