"""The process's service of security events, from its settings: over PostgreSQL, and a poll over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Iterator
from copy import replace

import pytest

from tenantgate.database.wiring import database, dispose_database
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revocation.wiring import revocation_service
from tenantgate.revoked.snapshot import PresentedToken, Snapshot
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.signals import wiring
from tenantgate.signals.errors import AlreadyReceived, SecurityEventRefused
from tenantgate.signals.tasks import Polled
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.misbehaving import (
    EVENT_AUDIENCE,
    SUBJECT,
    TENANT,
    CannedResponse,
    MisbehavingProvider,
    rsa_key,
)

CHANGED = "https://schemas.openid.net/secevent/caep/event-type/credential-change"


@pytest.fixture
def provider() -> Iterator[MisbehavingProvider]:
    with MisbehavingProvider() as running:
        yield running


@pytest.fixture(autouse=True)
def settings(
    provider: MisbehavingProvider, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The process's settings have the module's database and this test's issuer."""
    entry = {
        "issuer": provider.issuer,
        "audiences": [provider.audience],
        "tenants": "*",
        "event_audiences": [EVENT_AUDIENCE],
        "event_poll_url": f"{provider.issuer}/poll",
    }
    variables = {
        "ENVIRONMENT": "test",
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(hashlib.sha256().digest()).decode(),
        "DATABASE_URL": database_urls.app_url,
        "OIDC_ISSUER_URL": provider.issuer,
        "OIDC_CLIENT_ID": "client",
        "TRUSTED_ISSUERS": json.dumps([entry]),
        "EVENT_POLL_AUTHORIZATION": json.dumps({provider.issuer: "Bearer of-the-stream"}),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    caches = (get_settings, secret_store, wiring._verifier)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


async def poll() -> Polled:
    try:
        return await (await wiring.security_event_poll()).run()
    finally:
        await dispose_database()


async def receive(token: str) -> None:
    try:
        await (await wiring.security_event_service()).receive(token)
    finally:
        await dispose_database()


async def snapshot() -> Snapshot:
    try:
        return await RevocationRepository(database(), closed=False).snapshot(now=time.time())
    finally:
        await dispose_database()


def presented(provider: MisbehavingProvider) -> PresentedToken:
    return PresentedToken(TENANT, provider.issuer, SUBJECT, "jti-1", "a.b.c", (), "first", int(time.time()) - 5)


def event_about(provider: MisbehavingProvider, subject: dict[str, object]) -> str:
    return provider.security_event(CHANGED, edit=lambda claims: claims | {"sub_id": subject})


def test_polled_events_are_recorded_acknowledged_and_reported(provider: MisbehavingProvider) -> None:
    good, forged = provider.security_event(CHANGED), provider.logout_token()
    provider.responses["/poll"] = CannedResponse.of_json({"sets": {"good": good, "forged": forged}})
    assert asyncio.run(poll()) == Polled(accepted=1, refused=1)
    fetched, reported = provider.asked("/poll")
    assert fetched.headers["authorization"] == "Bearer of-the-stream"
    assert fetched.headers["content-type"] == "application/json"
    assert json.loads(fetched.body) == {"maxEvents": 10, "returnImmediately": True}
    results = json.loads(reported.body)
    assert (results["maxEvents"], results["ack"]) == (0, ["good"])
    assert results["setErrs"]["forged"]["err"] == "invalid_request"
    revoked = asyncio.run(snapshot())
    with pytest.raises(TokenRevoked):
        revoked.require_token(presented(provider), leeway=60)
    revoked.require_token(replace(presented(provider), user_id="another"), leeway=60)
    revoked.require_token(replace(presented(provider), issuer="https://other.example"), leeway=60)


def test_a_revoked_token_and_a_user_in_one_tenant(provider: MisbehavingProvider) -> None:
    subjects: list[dict[str, object]] = [
        {"format": "jwt_id", "iss": provider.issuer, "jti": "jti-1"},
        {
            "format": "complex",
            "user": {"format": "iss_sub", "iss": provider.issuer, "sub": "another"},
            "tenant": {"format": "opaque", "id": TENANT},
        },
    ]
    for subject in subjects:
        asyncio.run(receive(event_about(provider, subject)))
    revoked = asyncio.run(snapshot())
    token = presented(provider)
    for refused in (token, replace(token, token_id="jti-2", user_id="another")):
        with pytest.raises(TokenRevoked):
            revoked.require_token(refused, leeway=60)
    other = replace(token, token_id="jti-2")
    for passed in (other, replace(other, user_id="another", tenant_id="another")):
        revoked.require_token(passed, leeway=60)


@pytest.mark.parametrize("kid", ["first", None], ids=["named", "unnamed"])
def test_an_event_by_a_revoked_key_is_refused(kid: str | None, provider: MisbehavingProvider) -> None:
    async def revoke() -> None:
        try:
            await (await revocation_service()).revoke_kid(provider.issuer, "first")
        finally:
            await dispose_database()

    asyncio.run(revoke())
    with pytest.raises(SecurityEventRefused, match="the key that signed the token is revoked"):
        asyncio.run(receive(provider.security_event(CHANGED, kid=kid)))
    provider.rotate(rsa_key("second"))
    wiring._verifier.cache_clear()
    asyncio.run(receive(provider.security_event(CHANGED)))


def test_an_event_counts_once_pushed_or_polled(provider: MisbehavingProvider) -> None:
    token = provider.security_event(CHANGED)
    asyncio.run(receive(token))
    with pytest.raises(AlreadyReceived):
        asyncio.run(receive(token))
    provider.responses["/poll"] = CannedResponse.of_json({"sets": {"copy": token}})
    assert asyncio.run(poll()) == Polled(accepted=1)
    assert json.loads(provider.asked("/poll")[-1].body)["ack"] == ["copy"]


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (CannedResponse(status=401), ProviderUnreachable),
        (CannedResponse(status=302, headers={"Location": "/elsewhere"}), ProviderUnreachable),
        (CannedResponse(body=b'{"sets": {"x": "' + b"a" * 300_000 + b'"}}'), ProviderUnreachable),
        (CannedResponse(body=b"[" * 10_000), ProviderUnreachable),
    ],
    ids=["unauthorized", "redirect", "oversized", "nested"],
)
def test_a_poll_endpoint_that_misbehaves(
    response: CannedResponse, failure: type[TenantgateError], provider: MisbehavingProvider
) -> None:
    provider.responses["/poll"] = response
    with pytest.raises(failure):
        asyncio.run(poll())
    assert not provider.asked("/elsewhere")


def test_a_poll_without_the_issuers_secret_sends_nothing(
    provider: MisbehavingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_POLL_AUTHORIZATION", json.dumps({"https://other.example": "Bearer x"}))
    with pytest.raises(SecretsUnavailable):
        asyncio.run(poll())
    assert not provider.asked("/poll")
