"""The product's authorizer behind the gateway's cache: one token gets exactly its routes, in any order of requests."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from lambda_gateway.app import Gateway
from lambda_gateway.observer import Observer
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.guarded_apis import CALLERS, INTEGRATIONS, REQUESTS, may, token_of, write_guarded_apis
from tests.fixtures.tokens.issuer import ISSUER, TENANT

pytestmark = pytest.mark.anyio

type Ask = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
def asked() -> list[str]:
    """Return the functions' output: a line of the authorizer means that it was called, not the cache."""
    return []


@pytest.fixture
async def ask(tmp_path: Path, asked: list[str]) -> AsyncIterator[Ask]:
    """`await ask(integration, "GET /orders", token)`."""
    path = write_guarded_apis(tmp_path)
    observer = Observer(output=lambda _name, line: asked.append(line))
    gateway = Gateway(read_template(path), observer=observer)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop)
        clients = {
            name: await stack.enter_async_context(
                httpx2.AsyncClient(transport=httpx2.ASGITransport(app=gateway.api(name)), base_url="http://api.test")
            )
            for name in INTEGRATIONS
        }

        async def send(integration: str, request: str, token: str | None, scheme: str = "Bearer") -> httpx2.Response:
            method, path = request.split()
            stage = "/live" if INTEGRATIONS[integration].rest else ""
            headers = {"authorization": f"{scheme} {token}"} if token is not None else {}
            return await clients[integration].request(method, f"{stage}{path}", headers=headers)

        yield send


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_a_token_gets_exactly_its_routes_in_any_order(ask: Ask, integration: str) -> None:
    tokens = {caller: token_of(caller) for caller in CALLERS}
    requests = [(caller, request) for caller in CALLERS for request in REQUESTS]
    expected = {request: 200 if may(*request) else 403 for request in requests}
    assert {200, 403} == set(expected.values())
    # Each round begins with other tokens, so that another request fills the cache each time.
    for seed in range(4):
        order = requests * 2
        random.Random(seed).shuffle(order)
        if seed:
            tokens = {caller: token_of(caller, jti=f"round-{seed}") for caller in CALLERS}
        for caller, request in order:
            response = await ask(integration, request, tokens[caller])
            assert (caller, request, response.status_code) == (caller, request, expected[caller, request])


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_the_backend_receives_the_caller(ask: Ask, integration: str) -> None:
    told = (await ask(integration, "GET /orders", token_of("writer"))).json()
    context = told.get("lambda", told)
    assert (context["user_id"], context["tenant_id"]) == ("writer", TENANT)
    assert set(context["scopes"].split()) == {"orders:read", "orders:write"}
    assert context["request_id"]
    if INTEGRATIONS[integration].rest:
        assert context["principalId"] == f"{ISSUER}#writer"
        assert all(isinstance(value, str) for name, value in context.items() if name != "integrationLatency")


BODIES: dict[bool, dict[int, dict[str, str | None]]] = {
    True: {
        401: {"message": "Unauthorized"},
        403: {"Message": "User is not authorized to access this resource"},
        500: {"message": None},
    },
    False: {401: {"message": "Unauthorized"}, 403: {"message": "Forbidden"}, 500: {"message": "Internal Server Error"}},
}


@pytest.mark.parametrize("integration", INTEGRATIONS)
async def test_401_and_403_of_each_integration(ask: Ask, integration: str) -> None:
    bodies = BODIES[INTEGRATIONS[integration].rest]
    long_ago = int(time.time()) - 7200
    refused = {
        "no credential": (None, "Bearer"),
        "another scheme": ("dXNlcjpwYXNz", "Basic"),
        "not a token": ("x.y.z", "Bearer"),
        "expired": (token_of("reader", iat=long_ago, exp=long_ago + 600), "Bearer"),
        "another issuer": (token_of("reader", iss="https://evil.example"), "Bearer"),
        "forged": (token_of("reader")[:-8] + "AAAAAAAA", "Bearer"),
    }
    for why, (token, scheme) in refused.items():
        response = await ask(integration, "GET /orders", token, scheme)
        assert (why, response.status_code, response.json()) == (why, 401, bodies[401])
    for caller, changes in (("nobody", {}), ("reader", {"tenant_id": None})):
        response = await ask(integration, "GET /orders", token_of(caller, **changes))
        assert response.status_code == 403
        # A denial by name says so; which of the two it is, is the authorizer's to choose.
        text = next(iter(response.json().values()))
        assert text.removesuffix(" with an explicit deny") == next(iter(bodies[403].values()))


async def test_an_authorizer_that_cannot_decide_is_a_500_for_every_caller(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").unlink()
    for integration, api in INTEGRATIONS.items():
        response = await ask(integration, "GET /orders", token_of("reader"))
        assert (integration, response.status_code, response.json()) == (integration, 500, BODIES[api.rest][500])
        response = await ask(integration, "GET /orders", None)
        # Without its identity source, an authorizer is not called; one without identity sources is.
        assert response.status_code == (500 if integration == "HttpTwoSimple" else 401)


@pytest.mark.parametrize("integration", ["RestToken", "RestRequest", "HttpOne", "HttpTwoPolicy"])
async def test_a_policy_is_requested_once_for_every_route(ask: Ask, asked: list[str], integration: str) -> None:
    token = token_of("reader")
    # The first request is a denial, which the authorizer logs; the others come from the cache and are not.
    for request in ("POST /orders", "DELETE /orders/7", "GET /reports/2026", "GET /unruled"):
        assert (await ask(integration, request, token)).status_code == 403
    assert len([line for line in asked if '"message":"denied"' in line]) == 1


async def test_simple_responses_are_requested_every_time_or_once_per_route(ask: Ask, asked: list[str]) -> None:
    token = token_of("reader")
    for integration, lines in (("HttpTwoSimple", 4), ("HttpTwoByRoute", 2)):
        asked.clear()
        for request in ("POST /orders", "DELETE /orders/7", "DELETE /orders/8", "POST /orders"):
            assert (await ask(integration, request, token)).status_code == 403
        assert len([line for line in asked if '"message":"denied"' in line]) == lines
