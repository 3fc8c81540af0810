"""Rate limits of an application: who counts as one client, which credentials count, and the headers."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import APIRouter
from starlette.responses import RedirectResponse
from starlette.testclient import TestClient

from functions.auth_me.routes import router as me_router
from functions.auth_validate.routes import router as validate_router
from functions.health.routes import router as health_router
from tenantgate.web.app import create_app
from tenantgate.web.pages.show_pages import ShowPages
from tests.fixtures.web.sessions import WebSessions, cookie_of, web_sessions
from tests.fixtures.web.setup import ORIGIN, TENANT, Issuer, api_event, lambda_context, lambda_handler_of, log_lines

__all__ = ["web_sessions"]

PEER = "203.0.113.9"
VALIDATE, ME, LIVE = "/api/v1/auth/validate", "/api/v1/auth/me", "/api/v1/health/live"
OTHER_TENANT = f"org-{uuid.UUID(int=8)}"

extra = APIRouter()


@extra.get("/open")
async def unprotected() -> dict[str, str]:
    return {}


@extra.get("/items/{item}")
async def one_item(item: str) -> dict[str, str]:
    return {"item": item}


@extra.get("/redirect", dependencies=[ShowPages])
async def redirect() -> RedirectResponse:
    return RedirectResponse("/open", status_code=303)


type Client = Callable[..., TestClient]
type MakeClients = Callable[..., Client]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def clients(issuer: Issuer) -> MakeClients:
    """Build an application with these settings; it returns the client of an address."""

    def build(limits: str, **variables: str) -> Client:
        settings = issuer.settings(RATE_LIMITS=limits, **variables)
        app = create_app(validate_router, me_router, health_router, extra, settings=settings)

        def of(peer: str = PEER) -> TestClient:
            return TestClient(app, base_url="https://gate.example.test", client=(peer, 50_000), follow_redirects=False)

        return of

    return build


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def statuses(client: TestClient, number: int, path: str = "/open", **headers: str) -> list[int]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [client.get(path, headers=named).status_code for _ in range(number)]


def test_a_request_beyond_the_limit_gets_429_with_its_headers(clients: MakeClients) -> None:
    client = clients("address=2/minute")()
    assert statuses(client, 2) == [200, 200]

    response = client.get("/open", headers={"origin": ORIGIN})

    assert response.status_code == 429
    error = response.json()["error"]
    assert (error["code"], error["detail"]) == ("SYS_006", {"limits": ["address"]})
    assert error["request_id"] == response.headers["x-request-id"]
    assert response.headers["ratelimit-policy"] == '"address";q=2;w=60'
    reset = re.fullmatch(r'"address";r=0;t=(\d+)', response.headers["ratelimit"])
    assert reset is not None
    assert 55 <= int(reset[1]) <= 60
    assert response.headers["retry-after"] == reset[1]
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert {"retry-after", "ratelimit", "ratelimit-policy"} <= set(
        response.headers["access-control-expose-headers"].split(",")
    )
    assert response.headers["cache-control"] == "no-store"


def test_every_response_of_a_counted_request_has_the_headers(clients: MakeClients, issuer: Issuer) -> None:
    client = clients("address=100/minute,identity=50/hour,tenant=70/second")()

    response = client.get(VALIDATE, headers=bearer(issuer.token()))
    assert response.headers["ratelimit-policy"] == ('"address";q=100;w=60, "identity";q=50;w=3600, "tenant";q=70;w=1')
    assert response.headers["ratelimit"] == '"address";r=99;t=60, "identity";r=49;t=3600, "tenant";r=69;t=1'
    for refused in (client.get(VALIDATE), client.get("/nowhere"), client.post("/open")):
        assert refused.status_code in (401, 404, 405)
        assert refused.headers["ratelimit-policy"] == '"address";q=100;w=60'
        assert refused.headers["ratelimit"].startswith('"address";r=9')


def test_a_redirect_has_the_policy_only(clients: MakeClients) -> None:
    response = clients("address=1/minute")().get("/redirect")
    assert response.status_code == 303
    assert response.headers["ratelimit-policy"] == '"address";q=1;w=60'
    assert "ratelimit" not in response.headers


def test_a_browser_gets_a_page(clients: MakeClients) -> None:
    client = clients("address=1/minute")()
    client.get("/open")
    response = client.get("/redirect", headers={"accept": "text/html,*/*;q=0.8"})
    assert (response.status_code, response.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "SYS_006" in response.text
    assert int(response.headers["retry-after"]) > 0


def test_without_limits_no_response_has_the_headers(clients: MakeClients) -> None:
    response = clients("off")().get("/open")
    assert not {"ratelimit", "ratelimit-policy"} & set(response.headers)


def test_health_checks_and_preflights_are_not_limited(clients: MakeClients) -> None:
    client = clients("address=1/minute")()
    assert statuses(client, 20, LIVE) == [200] * 20
    assert "ratelimit" not in client.get(LIVE).headers
    preflight = {"origin": ORIGIN, "access-control-request-method": "GET"}
    assert [client.options("/open", headers=preflight).status_code for _ in range(5)] == [204] * 5
    assert statuses(client, 2) == [200, 429]


@pytest.mark.parametrize(
    ("same", "other"),
    [
        pytest.param("203.0.113.9", "203.0.113.10", id="ipv4"),
        pytest.param("2001:db8:1:2:ffff::1", "2001:db8:1:3::1", id="ipv6-by-64-bits"),
        pytest.param("::ffff:203.0.113.9", "203.0.113.10", id="ipv4-in-ipv6"),
    ],
)
def test_one_client_is_an_ipv4_address_or_an_ipv6_network(clients: MakeClients, same: str, other: str) -> None:
    of = clients("address=2/minute")
    first = "2001:db8:1:2::1" if ":db8:" in same else "203.0.113.9"
    assert statuses(of(first), 1) == [200]
    assert statuses(of(same), 2) == [200, 429]
    assert statuses(of(other), 1) == [200]


def test_a_spoofed_header_gains_nothing(clients: MakeClients) -> None:
    """The peer isn't a trusted proxy: what it says about others doesn't count."""
    for variables in ({}, {"TRUSTED_PROXIES": "10.0.0.0/8"}):
        client = clients("address=3/minute", **variables)()
        found = [
            client.get("/open", headers={"x-forwarded-for": f"198.51.100.{number}"}).status_code for number in range(6)
        ]
        assert found == [200, 200, 200, 429, 429, 429]


def test_behind_a_trusted_proxy_only_its_own_entry_counts(clients: MakeClients) -> None:
    proxy = clients("address=3/minute", TRUSTED_PROXIES="10.0.0.0/8")("10.0.0.1")
    found = [
        proxy.get("/open", headers={"x-forwarded-for": f"198.51.100.{number}, {PEER}"}).status_code
        for number in range(5)
    ]
    assert found == [200, 200, 200, 429, 429]
    assert statuses(proxy, 1, x_forwarded_for=f"{PEER}, 198.51.100.1") == [200]


def test_a_spoofed_header_spends_no_other_clients_budget(clients: MakeClients) -> None:
    of = clients("address=2/minute")
    statuses(of(), 5, x_forwarded_for="198.51.100.1")
    assert statuses(of("198.51.100.1"), 2) == [200, 200]


@pytest.mark.parametrize("peer", ["10.0.0.1", "100.64.0.3", "127.0.0.1", "fd00::1", "::ffff:192.168.1.1"])
def test_behind_an_unnamed_private_proxy_addresses_are_not_limited(
    clients: MakeClients, issuer: Issuer, capsys: pytest.CaptureFixture[str], peer: str
) -> None:
    client = clients("address=2/minute,identity=4/minute,GET /open=1/minute")(peer)
    assert statuses(client, 5, x_forwarded_for="198.51.100.1") == [200] * 5
    [warning] = [line for line in log_lines(capsys.readouterr().out) if line["level"] == "WARNING"]
    assert "Set TRUSTED_PROXIES" in warning["message"]
    # Verified callers are limited all the same.
    headers = {"authorization": f"Bearer {issuer.token()}", "x_forwarded_for": "198.51.100.1"}
    assert statuses(client, 5, VALIDATE, **headers) == [200, 200, 200, 200, 429]


def test_a_private_client_without_a_proxy_is_limited(clients: MakeClients) -> None:
    assert statuses(clients("address=2/minute")("10.0.0.1"), 3) == [200, 200, 429]


def test_a_route_with_its_own_limit_counts_instead_of_the_address(clients: MakeClients) -> None:
    of = clients("address=3/minute,GET /items/{item}=2/minute,GET /redirect=off")
    client = of()
    assert [client.get(f"/items/{number}").status_code for number in range(3)] == [200, 200, 429]
    assert client.get("/items/9").json()["error"]["detail"] == {"limits": ["route"]}
    assert statuses(client, 9, "/redirect") == [303] * 9
    assert statuses(client, 4) == [200, 200, 200, 429]
    assert statuses(of("203.0.113.10"), 1, "/items/1") == [200]


def test_an_unknown_path_counts_for_its_address(clients: MakeClients) -> None:
    assert statuses(clients("address=2/minute")(), 3, "/nowhere") == [404, 404, 429]


def test_a_forged_credential_spends_no_budget_of_the_tenant_that_it_names(
    clients: MakeClients, issuer: Issuer, tmp_path: Path
) -> None:
    of = clients("address=1000/minute,identity=3/minute,tenant=5/minute")
    attacker = of("198.51.100.66")
    forged = [
        Issuer.in_folder(tmp_path).token(),
        issuer.token(exp=1_700_000_600, iat=1_700_000_000),
        issuer.token(aud="another"),
        issuer.token()[:-4] + "AAAA",
        "a.b.c",
    ]
    for token in forged:
        assert statuses(attacker, 5, VALIDATE, authorization=f"Bearer {token}") == [401] * 5

    assert statuses(of(), 4, VALIDATE, **bearer(issuer.token())) == [200, 200, 200, 429]


def test_an_identity_is_limited_from_every_address_and_only_in_its_tenant_and_issuer(
    clients: MakeClients, issuer: Issuer
) -> None:
    of = clients("identity=2/minute,tenant=1000/minute")
    found = [
        of(f"203.0.113.{number}").get(VALIDATE, headers=bearer(issuer.token(jti=str(number)))) for number in (1, 2, 3)
    ]
    assert [one.status_code for one in found] == [200, 200, 429]
    assert found[2].json()["error"]["detail"] == {"limits": ["identity"]}
    assert statuses(of(), 1, VALIDATE, **bearer(issuer.token(sub="user-2"))) == [200]
    assert statuses(of(), 1, VALIDATE, **bearer(issuer.token(tenant_id=OTHER_TENANT))) == [200]


def test_a_refused_identity_spends_nothing_of_its_tenant(clients: MakeClients, issuer: Issuer) -> None:
    of = clients("identity=2/minute,tenant=4/minute")
    assert statuses(of(), 9, VALIDATE, **bearer(issuer.token())) == [200, 200] + [429] * 7
    assert statuses(of(), 3, VALIDATE, **bearer(issuer.token(sub="user-2"))) == [200, 200, 429]
    third = of().get(VALIDATE, headers=bearer(issuer.token(sub="user-3")))
    assert third.json()["error"]["detail"] == {"limits": ["tenant"]}
    assert statuses(of(), 1, VALIDATE, **bearer(issuer.token(tenant_id=OTHER_TENANT))) == [200]


def test_a_session_counts_as_its_user(clients: MakeClients, web_sessions: WebSessions) -> None:
    client = clients("identity=2/minute")()
    cookie = cookie_of(asyncio.run(web_sessions.start()))["cookie"]
    assert statuses(client, 3, VALIDATE, cookie=cookie) == [200, 200, 429]
    assert statuses(client, 1, VALIDATE, cookie=cookie[:-4] + "AAAA") == [401]


@pytest.mark.parametrize("source", ["192.0.2.1", "10.0.0.1", "127.0.0.1"])
def test_a_lambda_function_limits_the_source_address_and_the_authorizers_caller(issuer: Issuer, source: str) -> None:
    limits = "address=4/minute,identity=2/minute"
    handler = lambda_handler_of(validate_router, me_router, settings=issuer.settings(RATE_LIMITS=limits))
    context = {
        "user_id": "user-1",
        "tenant_id": TENANT,
        "issuer": "https://issuer.example.test",
        "scopes": "",
        "expires_at": 2_000_000_000,
        "auth_method": "bearer",
    }

    def call(number: int, authorizer: dict[str, object] | None = None) -> tuple[int, str, str]:
        # A client writes the header; the address is API Gateway's.
        event = api_event("GET", ME, headers={"x-forwarded-for": f"198.51.100.{number}"}, authorizer=authorizer)
        event["requestContext"]["http"]["sourceIp"] = source
        response = handler(event, lambda_context())
        return response["statusCode"], response["headers"].get("ratelimit", ""), response["body"]

    found = [call(number, context) for number in range(3)]
    assert [status for status, _, _ in found] == [200, 200, 429]
    assert found[0][1] == '"address";r=3;t=60, "identity";r=1;t=60'
    assert json.loads(found[2][2])["error"]["detail"] == {"limits": ["identity"]}
    assert [call(number)[0] for number in range(3)] == [401, 429, 429]
