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
