"""The front of the gateway on a developer's machine."""

from pathlib import Path
from typing import Any

import pytest

from tenantgate.web.headers import SECURE_HEADERS
from tenantgate.web.refused_origins import RefusedOrigins
from tenantgate_cli.stack import dev_output
from tenantgate_cli.stack.front import Front

pytestmark = pytest.mark.anyio
BASE = "http://localhost:3000"


def front(gateway: Any, base: str = BASE, reports: list[tuple[str, str]] | None = None) -> Front:
    refused = RefusedOrigins(allowed=["http://localhost:5173"], base_url=base)
    shown = [] if reports is None else reports
    return Front(gateway, base, Path("openapi.json"), refused=refused, on_refused=lambda *report: shown.append(report))


async def visit(
    host: str,
    *,
    accept: str = "*/*",
    path: str = "/a",
    base: str = BASE,
    method: str = "GET",
    responds: bool = False,
) -> Any:
    """Return the status and location of a redirect, or the `Host` headers that the gateway got.

    `responds`: the status and headers of a response that isn't a redirect.
    """
    sent: list[Any] = []

    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        sent.extend(value.decode() for name, value in scope["headers"] if name == b"host")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", host.encode()), (b"accept", accept.encode())],
    }
    await front(gateway, base)(scope, None, send)  # type: ignore[arg-type]
    if isinstance(sent[0], str):
        return sent
    headers = dict(sent[0]["headers"])
    return sent[0]["status"], headers if responds else headers[b"location"].decode()


@pytest.mark.parametrize("path", ["/a", "/docs", "/docs/openapi.json"])
async def test_a_browser_at_another_name_is_redirected(path: str) -> None:
    assert await visit("127.0.0.1:3000", accept="text/html", path=path) == (307, f"{BASE}{path}")


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        pytest.param("localhost:3000", "localhost:3000", id="canonical"),
        pytest.param("127.0.0.1:3000", "127.0.0.1:3000", id="another-name"),
        pytest.param("[::1]:3000", "localhost:3000", id="an-api-has-no-address-in-brackets"),
        pytest.param("[::1]:3001", "[::1]:3001", id="another-port"),
        pytest.param("tunnel.example.test", "tunnel.example.test", id="a-tunnel"),
    ],
)
async def test_other_requests_go_to_the_gateway(host: str, seen: str) -> None:
    assert await visit(host) == [seen]


@pytest.mark.parametrize(("method", "path"), [("POST", "/docs"), ("GET", "/docs/nothing"), ("GET", "/docsx")])
async def test_only_the_documentation_itself_is_not_the_gateways(method: str, path: str) -> None:
    assert await visit("localhost:3000", method=method, path=path) == ["localhost:3000"]


async def test_the_documentation_has_the_security_headers() -> None:
    status, headers = await visit("localhost:3000", path="/docs", responds=True)
    assert status == 200
    assert {name.encode() for name in SECURE_HEADERS} <= set(headers)


async def test_the_ipv6_name_is_kept_as_the_one_that_the_user_chose() -> None:
    assert await visit("127.0.0.1:3000", accept="text/html", base="http://[::1]:3000") == (307, "http://[::1]:3000/a")


async def test_a_refused_origin_is_reported_once_also_for_a_preflight() -> None:
    served: list[str] = []
    reports: list[tuple[str, str]] = []

    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        served.append(scope["method"])

    app = front(gateway, reports=reports)
    for method, origin in (
        ("OPTIONS", b"http://127.0.0.1:5173"),
        ("POST", b"http://127.0.0.1:5173"),
        ("GET", b"http://localhost:5173"),
        ("GET", b"http://localhost:3000"),
        ("GET", b"null"),
        ("GET", b"\x1b[2J"),
    ):
        scope = {"type": "http", "method": method, "path": "/a", "headers": [(b"origin", origin)]}
        await app(scope, None, None)  # type: ignore[arg-type]
    assert len(served) == 6
    assert [origin for origin, _ in reports] == ["http://127.0.0.1:5173"]


def test_the_line_of_a_refused_origin(capsys: pytest.CaptureFixture[str]) -> None:
    dev_output.show_refused_origin("http://localhost:9", "Add http://localhost:9 to ALLOWED_ORIGINS if it is your app.")
    assert capsys.readouterr().out == (
        "WARNING the origin http://localhost:9 is refused. "
        "Add http://localhost:9 to ALLOWED_ORIGINS if it is your app.\n"
    )
