"""Browsers on this machine are redirected to one host name."""

from typing import Any

import pytest

from tenantgate.web.canonical_host import CanonicalHost

pytestmark = pytest.mark.anyio
BASE = "http://localhost:3000"
PAGE = (("accept", "text/html,*/*;q=0.8"),)


async def visit(
    host: str,
    *more: tuple[str, str],
    method: str = "GET",
    path: str = "/a",
    query: str = "",
    base: str = BASE,
) -> str:
    """Return the location of a redirect, or "app" for a request that the application got."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent.append("app")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode(),
        "headers": [(b"host", host.encode("latin-1")), *((name.encode(), value.encode()) for name, value in more)],
    }
    await CanonicalHost(app, base)(scope, None, send)  # type: ignore[arg-type]
    if sent == ["app"]:
        return "app"
    assert sent[0]["status"] == 307
    assert sent[1] == {"type": "http.response.body", "body": b""}
    headers = dict(sent[0]["headers"])
    assert headers[b"cache-control"] == b"no-store"
    return str(headers[b"location"].decode("latin-1"))


@pytest.mark.parametrize(
    ("host", "base", "location"),
    [
        ("127.0.0.1:3000", BASE, f"{BASE}/a"),
        ("[::1]:3000", BASE, f"{BASE}/a"),
        ("127.0.0.2:3000", BASE, f"{BASE}/a"),
        ("localhost:3000", "http://127.0.0.1:3000", "http://127.0.0.1:3000/a"),
        ("[::1]:3000", "http://127.0.0.1:3000", "http://127.0.0.1:3000/a"),
        ("127.0.0.1", "http://localhost", "http://localhost/a"),
        ("127.0.0.1:80", "http://localhost", "http://localhost/a"),
    ],
)
async def test_a_page_at_another_loopback_name_redirects_to_the_canonical_one(
    host: str, base: str, location: str
) -> None:
    assert await visit(host, *PAGE, base=base) == location


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/", "", f"{BASE}/"),
        ("/a%2Fb", "c=%20d&e", f"{BASE}/a%2Fb?c=%20d&e"),
        ("//evil.test/", "", f"{BASE}//evil.test/"),
        ("/\\evil.test", "", f"{BASE}/\\evil.test"),
        # Nothing separates such a path from the port.
        ("@evil.test/", "", "app"),
        (".evil.test/", "", "app"),
        ("0/", "", "app"),
        ("http://evil.test/", "", "app"),
        ("*", "", "app"),
    ],
)
async def test_path_and_query_are_kept_and_cannot_change_the_host(path: str, query: str, location: str) -> None:
    assert await visit("127.0.0.1:3000", *PAGE, path=path, query=query) == location


@pytest.mark.parametrize(
    ("headers", "redirected"),
    [
        pytest.param(PAGE, True, id="page"),
        pytest.param((("sec-fetch-mode", "navigate"), ("accept", "*/*")), True, id="navigation"),
        pytest.param((("sec-fetch-mode", "cors"), *PAGE), False, id="a-scripts-request-for-a-page"),
        pytest.param((("sec-fetch-mode", "no-cors"), ("accept", "image/*")), False, id="an-image"),
        pytest.param((("accept", "*/*"),), False, id="curl"),
        pytest.param((("accept", "application/json"),), False, id="json"),
        pytest.param((), False, id="no-header"),
    ],
)
async def test_only_navigations_are_redirected(headers: tuple[tuple[str, str], ...], redirected: bool) -> None:
    assert (await visit("127.0.0.1:3000", *headers) != "app") is redirected


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_a_change_is_not_redirected(method: str) -> None:
    assert await visit("127.0.0.1:3000", *PAGE, method=method) == "app"
    assert await visit("127.0.0.1:3000", *PAGE, method="HEAD") == f"{BASE}/a"


@pytest.mark.parametrize(
    "host",
    [
        "localhost:3000",
        "LOCALHOST:3000",
        "127.0.0.1:3001",
        "127.0.0.1",
        "127.0.0.1:3000/",
        "127.0.0.1:3000@evil.test",
        "evil.test:3000",
        "localhost.evil.test:3000",
        "127.0.0.1.evil.test:3000",
        "10.0.0.1:3000",
        "0.0.0.0:3000",
        "[::2]:3000",
        "[::1:3000",
        "127.0.0.1:3000\xff",
        "",
    ],
)
async def test_only_another_loopback_name_on_the_same_port_is_redirected(host: str) -> None:
    assert await visit(host, *PAGE) == "app"


@pytest.mark.parametrize("base", ["https://gate.example.com", "http://gate.example.com", "https://localhost", ""])
async def test_a_host_that_others_reach_is_never_a_target(base: str) -> None:
    with pytest.raises(ValueError, match="not a loopback host"):
        await visit("127.0.0.1:3000", *PAGE, base=base)
