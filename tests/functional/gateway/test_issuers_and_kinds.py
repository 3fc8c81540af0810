"""ID tokens as bearer tokens, and a tenant's issuer that gives itself scopes: over the gateway and in the container.

The gateway runs the authorizer under its real runtime client, the container is served by uvicorn.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter

from lambda_gateway.app import Gateway
from lambda_gateway.observer import Observer
from lambda_gateway.template.reader import read_template
from tenantgate.route_rules.file import load_rules
from tenantgate.route_rules.model import CONTAINER_API
from tenantgate.web.app import create_app
from tests.fixtures.gateway.guarded_apis import INTEGRATIONS, RULES, write_guarded_apis
from tests.fixtures.servers.app_server import AppServer, free_socket
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER, TENANT, good_claims, sign
from tests.fixtures.web.setup import make_settings

pytestmark = pytest.mark.anyio

CLIENT = "spa-client"
CUSTOMER, CUSTOMERS_TENANT = "https://login.customer.test", "org-11111111-2222-4333-8444-555555555555"
DOORS = ("RestToken", "RestRequest", "HttpOne", "HttpTwoSimple", "container")

router = APIRouter()


@router.get("/orders")
@router.post("/orders")
@router.get("/orders/{id}")
@router.delete("/orders/{id}")
@router.get("/reports/secret")
@router.get("/unruled")
async def guarded() -> str:
    return "guarded"


type Ask = Callable[..., Awaitable[int]]


@pytest.fixture(scope="module")
async def ask(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ask]:
    """`await ask(door, "GET /orders", token)`, the response's status."""
    folder = Path(tmp_path_factory.mktemp("kinds"))
    customer = {
        "issuer": CUSTOMER,
        "audiences": [AUDIENCE],
        "tenants": [CUSTOMERS_TENANT],
        "scopes": ["orders:read"],
        "jwks_file": str(folder / "keys.json"),
    }
    variables = {
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_AUDIENCE": f"{AUDIENCE},{CLIENT}",
        "TRUSTED_ISSUERS": json.dumps([customer]),
    }
    gateway = Gateway(read_template(write_guarded_apis(folder, variables=variables)), observer=Observer())
    settings = make_settings(**{"OIDC_ISSUER_URL": ISSUER, "OIDC_JWKS_FILE": str(folder / "keys.json"), **variables})
    rules = load_rules(RULES.format(ids=f'"{CONTAINER_API}"')).for_api(CONTAINER_API)
    app, sock = create_app(router, settings=settings, route_rules=rules), free_socket()
    async with AsyncExitStack() as stack:
        stack.enter_context(AppServer(app, sock))
        stack.push_async_callback(gateway.stop)
        container = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}")
        clients = {"container": await stack.enter_async_context(container)}
        for name in DOORS[:-1]:
            transport = httpx2.ASGITransport(app=gateway.api(name))
            client = httpx2.AsyncClient(transport=transport, base_url="http://api.test")
            clients[name] = await stack.enter_async_context(client)

        async def send(door: str, request: str, token: str) -> int:
            method, path = request.split()
            stage = "/live" if door in INTEGRATIONS and INTEGRATIONS[door].rest else ""
            headers = {"authorization": f"Bearer {token}"}
            return (await clients[door].request(method, f"{stage}{path}", headers=headers)).status_code

        yield send


def for_the_client(typ: str | None = "JWT", **claims: object) -> str:
    """Sign a token of the login issuer for the client; `claims` decide its kind."""
    bare: dict[str, object] = {"aud": CLIENT, "client_id": None, "jti": None, "scope": None}
    return sign(good_claims(int(time.time()), **{**bare, **claims}), typ=typ)


def customers(**claims: object) -> str:
    own = {"iss": CUSTOMER, "tenant_id": CUSTOMERS_TENANT, **claims}
    return sign(good_claims(int(time.time()), **own))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: for_the_client(azp=CLIENT), id="of-a-refresh"),
        pytest.param(lambda: for_the_client(None, email="jo@example.test"), id="userinfo"),
        pytest.param(lambda: for_the_client(aud=[AUDIENCE, CLIENT], azp=CLIENT), id="for-the-api-and-the-client"),
        pytest.param(lambda: for_the_client(typ="ID", scope="orders:read"), id="keycloak"),
        pytest.param(lambda: for_the_client(token_use="id", scope="orders:read"), id="cognito"),
        pytest.param(lambda: for_the_client(nonce="n", scope="orders:read"), id="of-a-sign-in"),
        pytest.param(lambda: for_the_client(events={}, scope="orders:read"), id="logout-token"),
    ],
)
async def test_an_id_token_is_no_bearer_token(ask: Ask, door: str, token: Callable[[], str]) -> None:
    assert await ask(door, "GET /orders", token()) == 401


@pytest.mark.parametrize("door", DOORS)
async def test_an_access_token_for_the_client_is_one(ask: Ask, door: str) -> None:
    assert await ask(door, "GET /orders", for_the_client(scope="orders:read")) == 200
    # Without a scope it is still an access token, and the rules decide.
    assert await ask(door, "GET /orders", for_the_client("at+jwt")) == 403


@pytest.mark.parametrize("door", DOORS)
async def test_a_tenants_issuer_gives_only_what_its_entry_allows(ask: Ask, door: str) -> None:
    everything = customers(scope="orders:read orders:write admin", roles=["auditor"], groups=["auditor"])
    assert await ask(door, "GET /orders", everything) == 200
    assert await ask(door, "POST /orders", everything) == 403
    assert await ask(door, "GET /reports/secret", everything) == 403


@pytest.mark.parametrize("door", DOORS)
async def test_the_login_issuer_gives_all(ask: Ask, door: str) -> None:
    token = sign(good_claims(int(time.time()), scope="orders:write", roles=["auditor"]))
    assert await ask(door, "POST /orders", token) == 200
    assert await ask(door, "GET /reports/secret", token) == 200


@pytest.mark.parametrize("door", DOORS)
async def test_a_tenants_issuer_gets_no_access_to_another_tenant_in_any_form(ask: Ask, door: str) -> None:
    two: tuple[object, ...] = ([CUSTOMERS_TENANT, TENANT], {CUSTOMERS_TENANT: {}, TENANT: {}})
    for claim in (TENANT, [TENANT], {TENANT: {}}, *two):
        assert await ask(door, "GET /orders", customers(tenant_id=claim)) == 403
