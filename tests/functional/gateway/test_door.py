"""A route rule isn't escaped by another spelling: over the gateway, the authorizer under its real runtime client.

The gateway folds paths as API Gateway does: a REST API serves `/admin/` and `/admin%2F` by `/admin`, and hands the path
on as it was sent; an HTTP API decodes the path and takes it literally.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lambda_gateway.app import Gateway
from lambda_gateway.observer import Observer
from lambda_gateway.template.reader import read_template
from tenantgate_cli.main import app
from tests.fixtures.gateway.guarded_apis import INTEGRATIONS, token_of, write_guarded_apis
from tests.fixtures.servers.exact_request import send_raw
from tests.functional.gateway.conftest import listening

pytestmark = pytest.mark.anyio

ROUTES = ("GET /admin", "GET /{proxy+}")
RULES = """\
version = 1

[[api]]
name = "door"
ids = [{ids}]

[[api.route]]
route = "GET /admin"
scopes = ["admin"]

[[api.route]]
route = "GET /{{path+}}"
"""
# Caches one yes or no for `/{proxy+}` regardless of the path: `rules check` rejects that for these rules (below).
CACHED_BY_ROUTE = "HttpTwoByRoute"
# Other spellings of `/admin`, to one router or another.
SPELLINGS = (
    *("/admin/", "/admin%2F", "/admin%2f", "/admin//", "/admin%2F%2F", "/%61dmin"),
    *("/%61dmin/", "/%2561dmin", "/admin%252F"),
    *("/admin;v=1", "/admin;", "/admin%3B", "/admin;v/", "/admin.", "/admin%2E", "/admin%20", "/admin%20/"),
    *("/admin%0a", "/admin%0D%0A", "/admin%00", "/admin%09", "/ad%0amin", "/admin%7f", "/admin%01"),
    *("/./admin", "/x/../admin", "/x/%2e%2e/admin", "/x/..%2Fadmin", "/x%2F..%2Fadmin", "//admin"),
    *("/%2Fadmin", "/.%2Fadmin"),
    *("/x/..;/admin", "/x%5C..%5Cadmin", "/admin%5C", "/admin%23", "/%u0061dmin"),
)  # fmt: skip
# IAM's grammar has no such characters, so a cached policy for decoded paths can't deny them (docs/ROUTE_RULES.md).
INEXPRESSIBLE = {"/admin%00", "/admin%7f", "/admin%01"}
CACHED_POLICIES_OF_DECODED_PATHS = {"HttpOne", "HttpTwoPolicy"}
type Ask = Callable[..., Awaitable[int]]


@pytest.fixture(scope="module")
async def ask(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ask]:
    """`await ask(integration, "/admin", token)`, the response's status."""
    path = write_guarded_apis(Path(tmp_path_factory.mktemp("door")), routes=ROUTES, rules=RULES)
    gateway = Gateway(read_template(path), observer=Observer())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop)
        urls = {name: await stack.enter_async_context(listening(gateway.api(name))) for name in INTEGRATIONS}

        async def send(integration: str, path: str, *authorizations: str, host: str | None = "api.test") -> int:
            stage = "/live" if INTEGRATIONS[integration].rest else ""
            headers = [("authorization", authorization) for authorization in authorizations]
            return (await send_raw(urls[integration], f"{stage}{path}", headers, host=host)).status

        yield send


def bearer(**changes: object) -> str:
    return f"Bearer {token_of('nobody', **changes)}"


@pytest.mark.parametrize("integration", [name for name in INTEGRATIONS if name != CACHED_BY_ROUTE])
async def test_no_spelling_escapes_the_rule(ask: Ask, integration: str) -> None:
    # The first request fills the cache, if any, with the policy of this caller.
    caller = bearer()
    assert await ask(integration, "/other", caller) == 200
    assert await ask(integration, "/admin", caller) == 403
    opened = {path for path in SPELLINGS if await ask(integration, path, caller) == 200}
    assert opened == (INEXPRESSIBLE if integration in CACHED_POLICIES_OF_DECODED_PATHS else set())


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_no_spelling_bypasses_the_rule_as_the_first_request(ask: Ask, integration: str) -> None:
    opened = [
        path for number, path in enumerate(SPELLINGS) if await ask(integration, path, bearer(jti=f"{number}")) == 200
    ]
    assert opened == []


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_the_scope_opens_the_path_and_its_plain_spellings(ask: Ask, integration: str) -> None:
    caller = bearer(scope="admin")
    for path in ("/admin", "/admin/", "/files/a/b/", "/files/a%20b", "/files/r.txt"):
        assert (path, await ask(integration, path, caller)) == (path, 200)


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_an_ordinary_path_stays_open(ask: Ask, integration: str) -> None:
    caller = bearer()
    for path in ("/files", "/files/a/b", "/files/a/", "/administrator", "/admin/users", "/files/r.txt"):
        assert (path, await ask(integration, path, caller)) == (path, 200)


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_two_authorization_headers_are_refused_in_either_order(ask: Ask, integration: str) -> None:
    good, other = bearer(), bearer(scope="admin")
    for pair in ((good, other), (other, good), (good, good), (good, "Basic eDp5"), (good, "")):
        assert await ask(integration, "/files", *pair) in (401, 403)


@pytest.mark.parametrize("integration", INTEGRATIONS)
@pytest.mark.parametrize(
    "host",
    [
        "[::1]:3000",
        "",
        "a b",
        "user@api.test",
        "api.test:",
        "api.test:x",
        "a,b",
        "[::",
        "api.test:999999",
        "<>",
        "\xff",
    ],
)
async def test_an_odd_host_is_a_400(ask: Ask, integration: str, host: str) -> None:
    assert await ask(integration, "/files", bearer(), host=host) == 400


def test_a_cache_that_would_be_opened_by_a_spelling_is_refused_before_it_is_deployed(tmp_path: Path) -> None:
    template = write_guarded_apis(tmp_path, routes=ROUTES, rules=RULES)
    result = CliRunner().invoke(app, ["rules", "check", str(tmp_path / "rules.toml"), "--template", str(template)])

    assert result.exit_code == 1
    # Nothing else is wrong, and nothing with the other integrations.
    assert result.output.count("✗") == 1
    assert f"of {CACHED_BY_ROUTE} caches results" in result.output
    assert "several rules apply to requests for its route GET /{proxy+}" in result.output
