"""The running container compresses public documents, and no response that depends on its caller."""

from __future__ import annotations

import gzip
from typing import Any

import httpx2
import pytest
from backports import zstd

from container.app import function_routers
from container.compression import PUBLIC_DOCUMENTS
from tests.fixtures.browsers.scripted import HTML, Browser
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import access_token, sign_in_by_redirect

pytestmark = pytest.mark.xdist_group("stacks")


def raw(url: str, method: str = "GET", **headers: str) -> tuple[httpx2.Response, bytes]:
    """Return the response and its body as it was sent."""
    with httpx2.Client(trust_env=False, timeout=30) as client:
        client.headers = httpx2.Headers({"user-agent": "test"})
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with client.stream(method, url, headers=named) as response:
            return response, b"".join(response.iter_raw())


@pytest.mark.parametrize(("accept", "decode"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
def test_the_description_of_the_api_is_a_tenth_of_its_size(container: RunningStack, accept: str, decode: Any) -> None:
    url = f"{container.url}/docs/openapi.json"
    plain, whole = raw(url, accept_encoding="identity")
    response, body = raw(url, accept_encoding=accept)
    assert "content-encoding" not in plain.headers
    assert response.headers["content-encoding"] == accept
    assert decode(body) == whole
    assert len(body) < len(whole) / 10
    for one in (plain, response):
        assert "Accept-Encoding" in one.headers.get_list("vary")


@pytest.mark.parametrize("path", sorted(PUBLIC_DOCUMENTS))
def test_a_compressed_document_is_the_same_for_everyone(container: RunningStack, path: str) -> None:
    with Browser() as browser:
        token = access_token(browser, container.url)
    with Browser() as browser:
        sign_in_by_redirect(browser, container.url)
        session = browser.named("__Host-tg_session")["__Host-tg_session"]
    url = container.url + path
    response, body = raw(url)
    assert response.status_code == 200
    _, other = raw(
        f"{url}?echo=canary",
        authorization=f"Bearer {token}",
        cookie=f"__Host-tg_session={session}; canary=canary",
        accept=HTML,
        referer="https://canary.example",
        user_agent="canary",
        x_request_id="canary-canary",
        accept_language="canary",
    )
    assert other == body
    assert b"canary" not in body


def test_nothing_that_a_caller_influences_is_compressed(container: RunningStack) -> None:
    with Browser() as browser:
        sign_in_by_redirect(browser, container.url)
        session = browser.named("__Host-tg_session")["__Host-tg_session"]
    routes = {
        (method, getattr(route, "path", ""))
        for router in function_routers()
        for route in router.routes
        for method in getattr(route, "methods", ())
    }
    asked = {item for item in routes if item[1] not in PUBLIC_DOCUMENTS} | {("GET", "/nowhere")}
    largest = 0
    for method, path in sorted(asked):
        for accept in (HTML, "application/json"):
            url = f"{container.url}{path.replace('{session_id}', 'x')}?state={'a' * 2000}"
            response, body = raw(
                url, method, accept=accept, accept_encoding="gzip, zstd, br, *", cookie=f"__Host-tg_session={session}"
            )
            largest = max(largest, len(body))
            assert "content-encoding" not in response.headers, (method, path)
    # The pages are large enough for compression: they are left out for their content.
    assert largest > 4096
