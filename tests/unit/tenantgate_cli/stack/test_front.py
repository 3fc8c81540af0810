"""The front of the gateway on a developer's machine."""

from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.stack.front import Front

pytestmark = pytest.mark.anyio
BASE = "http://127.0.0.1:3000"


async def visit(host: str, *, method: str = "GET", accept: str = "text/html", path: str = "/a", query: str = "") -> Any:
    """Return status and location of a redirect, or "gateway" for a request that the gateway got."""
    sent: list[Any] = []

    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        sent.append("gateway")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", host.encode()), (b"accept", accept.encode())],
    }
    await Front(gateway, BASE, Path("openapi.json"))(scope, None, send)  # type: ignore[arg-type]
    if sent == ["gateway"]:
        return "gateway"
    return sent[0]["status"], dict(sent[0]["headers"])[b"location"].decode()


@pytest.mark.parametrize(
    ("given", "location"),
    [
        pytest.param({}, f"{BASE}/a", id="page"),
        pytest.param({"query": "b=c%20d"}, f"{BASE}/a?b=c%20d", id="query-unchanged"),
        pytest.param({"path": "//evil.test/"}, f"{BASE}//evil.test/", id="a-path-cannot-change-the-host"),
        pytest.param({"method": "HEAD"}, f"{BASE}/a", id="head"),
    ],
)
async def test_a_browser_at_localhost_is_redirected_to_the_canonical_host(given: dict[str, str], location: str) -> None:
    assert await visit("localhost:3000", **given) == (307, location)


@pytest.mark.parametrize(
    ("host", "given"),
    [
        pytest.param("127.0.0.1:3000", {}, id="canonical"),
        pytest.param("localhost:3000", {"accept": "application/json"}, id="not-a-page"),
        pytest.param("localhost:3000", {"method": "POST"}, id="not-a-visit"),
        pytest.param("tunnel.example.test", {}, id="a-tunnel"),
    ],
)
async def test_other_requests_go_to_the_gateway(host: str, given: dict[str, str]) -> None:
    assert await visit(host, **given) == "gateway"
