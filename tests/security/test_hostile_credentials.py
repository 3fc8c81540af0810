"""A hostile token writes into no tenant's audit log, at the authorizer and at a web function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from starlette.testclient import TestClient

from tenantgate.audit.ingest import Ingest
from tenantgate.audit.line import Marked, write_line
from tenantgate.audit.reading import event_of
from tenantgate.authorizer.service import Authorizer
from tenantgate.errors.tokens import TokenExpired
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.observability.logging import configure_logging
from tenantgate.revoked.names import kid_name, tenant_name, token_name
from tenantgate.revoked.snapshot import Snapshot
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.web.app import create_app
from tenantgate.web.dependencies import VerifiedCaller, verified_caller
from tests.fixtures.audit.events import MemoryKeys
from tests.fixtures.audit.marked import collected
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.revoked.snapshots import snapshot
from tests.fixtures.tokens.forged_tokens import FORGED, PUBLISHED_JWKS
from tests.fixtures.tokens.forging import Forged
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT, good_claims, policy_of, sign, static_verifier
from tests.fixtures.web.setup import Issuer, log_lines

RULES = 'version = 1\n[[api]]\nname = "ours"\nids = ["*"]\n[[api.route]]\nroute = "GET /orders"\nscopes = ["no:such"]\n'
EXPIRED = {"iat": NOW - 1_000, "exp": NOW - 400}


def decide(authorization: str, revoked: Snapshot | None = None, **variables: str) -> None:
    policy = policy_of(**variables)
    revocations = None if revoked is None else lambda: revoked
    credential = BearerCredential(static_verifier(PUBLISHED_JWKS), policy, revocations=revocations)
    event = {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/$default/GET/orders",
        "routeKey": "GET /orders",
        "rawPath": "/orders",
        "headers": {"authorization": authorization},
        "requestContext": {
            "apiId": "abcdef1234",
            "http": {"method": "GET", "path": "/orders"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "GET /orders",
            "stage": "$default",
        },
    }
    with suppress(Exception):
        Authorizer(Credentials(credential), rules(RULES), clock=lambda: NOW).decide(event)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Marked]]:
    with collected(monkeypatch) as events:
        yield events


# Without those that are genuine: expired only, or with blanks around them, which belong to the header (RFC 9110 §5.5).
HOSTILE = [one for one in FORGED if one.error is not TokenExpired and not one.name.startswith("blank")]


@pytest.mark.parametrize("forged", [pytest.param(forged, id=forged.name) for forged in HOSTILE])
def test_a_forged_token_is_in_the_deployments_log_at_most(forged: Forged, found: list[Marked]) -> None:
    token = forged.build()
    decide(f"Bearer {token}")
    assert {(one.event, one.log, one.user_id) for one in found} <= {("AUTH_TOKEN_REFUSED", DEPLOYMENT, None)}
    for one in found:
        # Neither the tenant that it claims, nor any part of it.
        assert TENANT not in str(one)
        assert not [part for part in token.split(".") if len(part) > 20 and part in str(one)]
        event_of(one, None)


@pytest.mark.parametrize("revoked", [None, snapshot()])
@pytest.mark.parametrize(
    ("claims", "event", "log"),
    [
        pytest.param(EXPIRED, "AUTH_TOKEN_EXPIRED", TENANT, id="expired"),
        pytest.param(EXPIRED | {"tenant_id": DEPLOYMENT}, "AUTH_TOKEN_EXPIRED", DEPLOYMENT, id="expired-deployment"),
        pytest.param(EXPIRED | {"tenant_id": None}, "AUTH_TOKEN_EXPIRED", DEPLOYMENT, id="expired-without-tenant"),
        pytest.param(EXPIRED | {"tenant_id": "a\nb"}, "AUTH_TOKEN_EXPIRED", DEPLOYMENT, id="expired-unprintable"),
        pytest.param(EXPIRED | {"aud": "another"}, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="expired-of-another-audience"),
        pytest.param({"tenant_id": DEPLOYMENT}, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="deployment"),
        pytest.param({"aud": "another"}, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="another-audience"),
        pytest.param({"exp": NOW + 10**6}, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="too-long"),
        pytest.param({"tenant_id": "x" * 129}, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="a-long-tenant"),
        pytest.param({}, "AUTH_PERMISSION_DENIED", TENANT, id="good-and-denied"),
    ],
)
def test_a_signed_token_is_in_its_tenants_log_only_if_nothing_else_is_wrong(
    claims: dict[str, object], event: str, log: str, revoked: Snapshot | None, found: list[Marked]
) -> None:
    decide(f"Bearer {sign(good_claims(**claims))}", revoked, tenant_id_pattern="^.+$")  # type: ignore[arg-type]
    (one,) = found
    assert (one.event, one.log) == (event, log)
    assert (one.issuer, one.user_id) == ((None, None) if log == DEPLOYMENT else (ISSUER, "user-1"))


@pytest.mark.parametrize(
    ("revoked", "claims", "log"),
    [
        pytest.param(snapshot(exact=[token_name(ISSUER, "token-1", "")]), {}, TENANT, id="token"),
        # The thief of a key could name any tenant.
        pytest.param(snapshot(exact=[kid_name(ISSUER, "rsa-1")]), {}, DEPLOYMENT, id="key"),
        pytest.param(snapshot(exact=[kid_name(ISSUER, "rsa-1")]), EXPIRED, DEPLOYMENT, id="key-and-expired"),
        pytest.param(snapshot(suspended=[tenant_name(TENANT)]), EXPIRED, DEPLOYMENT, id="tenant-and-expired"),
        pytest.param(snapshot(registered=[tenant_name("other")]), EXPIRED, DEPLOYMENT, id="unknown-and-expired"),
    ],
)
def test_a_revoked_key_or_tenant_proves_no_tenant(
    revoked: Snapshot, claims: dict[str, object], log: str, found: list[Marked]
) -> None:
    decide(f"Bearer {sign(good_claims(**claims))}", revoked)  # type: ignore[arg-type]
    assert [one.log for one in found] == [log]


def test_an_issuer_that_is_bound_to_a_tenant_reaches_no_other(found: list[Marked]) -> None:
    entry = {"issuer": "https://bound.example", "audiences": ["tenantgate-api"], "tenants": ["org-a"]}
    # Signed by the first issuer's key: the second one has none here, so its tokens prove nothing.
    decide(
        f"Bearer {sign(good_claims(iss='https://bound.example', **EXPIRED))}",
        trusted_issuers=json.dumps([entry]),
    )
    assert {one.log for one in found} <= {DEPLOYMENT}


def _oversized() -> str:
    return "Bearer " + "A" * 100_000


def _cookie_like() -> str:
    return f"Bearer {TENANT}.{'A' * 43}"


@pytest.mark.parametrize("make", [_oversized, _cookie_like, lambda: "Bearer a.b.c", lambda: "Basic eA=="])
def test_what_is_hardly_a_token_reaches_no_tenant(make: Callable[[], str], found: list[Marked]) -> None:
    decide(make())
    assert {one.log for one in found} <= {DEPLOYMENT}
    assert all(len(str(one)) < 1_000 for one in found)


class NoStore:
    """A store in memory."""

    def __init__(self) -> None:
        self.logs: list[str] = []

    async def add_once(self, tenant_id: str, events: Any) -> int:
        self.logs += [tenant_id] * len(events)
        return len(events)

    async def last_erasure(self, tenant_id: str, *, since: float) -> float | None:
        return None


class Nothing:
    """The list of revocations, in which nothing is."""

    async def refresh(self) -> None: ...

    def current(self) -> Snapshot:
        return snapshot()


async def no_session(secret: str) -> Any:
    raise AssertionError(secret)


_router = APIRouter()


@_router.get("/caller")
async def caller(of: Annotated[VerifiedCaller, Depends(verified_caller(no_session, Nothing))]) -> str:
    return of.principal.user_id


@pytest.mark.anyio
async def test_from_a_web_function_to_the_store_no_forged_token_names_a_tenant(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer = Issuer.in_folder(tmp_path)
    with (
        collected(monkeypatch) as found,
        TestClient(create_app(_router, settings=issuer.settings()), base_url="https://gate.example.test") as client,
    ):
        good = issuer.token()
        head, body, signature = good.split(".")
        hostile = [f"{head}.{body}.{signature[:-6]}AAAAAA", f"{head}.{body}.", "a.b.c"]
        hostile += [one.build() for one in HOSTILE[:5]]
        for token in hostile:
            assert client.get("/caller", headers={"authorization": f"Bearer {token}"}).status_code == 401
        late = issuer.token(iat=int(time.time()) - 1_000, exp=int(time.time()) - 400)
        assert client.get("/caller", headers={"authorization": f"Bearer {late}"}).json()["error"]["code"] == "AUTH_003"
    capsys.readouterr()
    configure_logging(level="ERROR", service="auth_validate")
    for event in found:
        write_line(event)
    lines = capsys.readouterr().out.splitlines()
    assert [line["message"] for line in log_lines("\n".join(lines))] == ["audit event"] * len(found)
    store = NoStore()
    stored = await Ingest(store, MemoryKeys(), is_tenant=lambda tenant_id: tenant_id.startswith("org-")).lines(lines)
    assert stored.stored == len(found) == len(hostile) + 1
    assert store.logs.count(DEPLOYMENT) == len(hostile)
