"""The container over a real server: what two readers can take for two things reaches no route."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from fastapi import APIRouter, Request

from container.app import container_app
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import RouteRule
from tenantgate.web.app import create_app
from tests.fixtures.process.logs import logging_restored
from tests.fixtures.revoked.nothing import nothing_is_revoked
from tests.fixtures.servers.exact_request import RawResponse, send_raw
from tests.fixtures.web.setup import Issuer
from tests.functional.gateway.conftest import listening

pytestmark = pytest.mark.anyio

router = APIRouter()


@router.get("/admin")
@router.get("/{path:path}")
async def served(request: Request) -> str:
    return request.url.hostname or ""


RULES = ApiRules(
    "container",
    [RouteRule("GET", "/admin", scopes=frozenset({"admin"})), RouteRule("GET", "/{path+}"), RouteRule("GET", "/")],
)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
async def urls(issuer: Issuer) -> AsyncIterator[tuple[str, str]]:
    """The product's own container, and one with a rule for `/admin` and one for the rest."""
    with logging_restored(), nothing_is_revoked():
        own = container_app(issuer.settings(DATABASE_URL="postgresql://u:p@127.0.0.1:1/n", LOG_LEVEL="ERROR"))
        door = create_app(router, settings=issuer.settings(LOG_LEVEL="ERROR"), route_rules=RULES)
        async with AsyncExitStack() as stack:
            yield (await stack.enter_async_context(listening(own)), await stack.enter_async_context(listening(door)))


def code_of(response: RawResponse) -> str:
    code: str = json.loads(response.body)["error"]["code"]
    return code


@pytest.mark.parametrize("spelled", ["%0a", "%0A", "%0d%0a", "%00", "%09", "%7f", "%1f", "%0a%0a"])
async def test_a_control_character_in_the_path_reaches_no_route(
    urls: tuple[str, str], issuer: Issuer, spelled: str
) -> None:
    bearer = [("authorization", f"Bearer {issuer.token()}")]
    assert (await send_raw(urls[0], "/api/v1/auth/me", bearer)).status == 200
    for path in ("/api/v1/auth/me", "/api/v1/health/live", "/idp/token", "/api/v1/auth/"):
        refused = await send_raw(urls[0], f"{path}{spelled}", bearer)
        assert (refused.status, code_of(refused)) == (400, "VAL_007")


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/", "/admin%2F", "/admin//", "//admin", "/%61dmin", "/%2561dmin", "/admin;v=1"),
        *("/admin%3Bv", "/admin."),
        *("/admin%20", "/admin%0a", "/admin%5C", "/x/../admin", "/x/%2e%2e/admin", "/x/..;/admin"),
        *("/admin%23", "/admin%3F"),
    ],
)  # fmt: skip
async def test_no_spelling_escapes_the_rule(urls: tuple[str, str], issuer: Issuer, path: str) -> None:
    bearer = [("authorization", f"Bearer {issuer.token()}")]
    assert (await send_raw(urls[1], "/other/", bearer)).status == 200
    assert (await send_raw(urls[1], path, bearer)).status in (400, 403)


async def test_the_scope_opens_the_folded_path(urls: tuple[str, str], issuer: Issuer) -> None:
    bearer = [("authorization", f"Bearer {issuer.token(scope='admin')}")]
    for path in ("/admin", "/admin/", "/%61dmin", "/admin;v=1"):
        assert (await send_raw(urls[1], path, bearer)).status == 200


async def test_two_authorization_headers_are_refused_in_either_order(urls: tuple[str, str], issuer: Issuer) -> None:
    good, bad = f"Bearer {issuer.token()}", "Bearer x.y.z"
    for pair in ((good, bad), (bad, good), (good, good), ("Basic eDp5", good)):
        for path in ("/api/v1/auth/me", "/api/v1/auth/validate", "/api/v1/health/live", "/idp/userinfo"):
            refused = await send_raw(urls[0], path, [("authorization", value) for value in pair])
            assert (refused.status, code_of(refused)) == (401, "AUTH_007")
    joined = await send_raw(urls[0], "/api/v1/auth/me", [("authorization", f"{good},{bad}")])
    assert (joined.status, code_of(joined)) == (401, "AUTH_007")


@pytest.mark.parametrize("name", ["Host", "Origin", "Content-Type", "Sec-Fetch-Site"])
async def test_a_header_that_counts_once_is_refused_when_it_comes_twice(urls: tuple[str, str], name: str) -> None:
    twice = [(name, "https://app.example.test"), (name, "https://evil.example")]
    refused = await send_raw(urls[0], "/api/v1/health/live", twice, host=None if name == "Host" else "gate.test")
    assert (refused.status, code_of(refused)) == (400, "VAL_007")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("gate.test", 200),
        ("gate.test:8080", 200),
        ("127.0.0.1:3000", 200),
        ("[::1]:3000", 200),
        ("[::1]", 200),
        ("", 400),
        ("[::1", 400),
        ("[::1]:", 200),
        ("[::1]3000", 400),
        ("[:::::]", 400),
        ("[zz]", 400),
        ("gate.test:x", 400),
        ("gate.test:99999", 400),
        ("user@gate.test", 400),
        ("user:secret@gate.test", 400),
        ("gate.test/path", 400),
        ("a b", 400),
        ("a,b", 400),
        ("<>", 400),
        ("%67ate.test", 400),
        ("\xff", 400),
    ],
)
async def test_an_odd_host_is_served_or_a_400(urls: tuple[str, str], issuer: Issuer, host: str, status: int) -> None:
    bearer = [("authorization", f"Bearer {issuer.token()}")]
    for url, path in ((urls[0], "/api/v1/health/live"), (urls[1], "/")):
        assert (await send_raw(url, path, bearer, host=host)).status == status
