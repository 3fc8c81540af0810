"""A sign-out by bearer token revokes that token, and no other."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from tenantgate.database.unit import Row
from tenantgate.database.wiring import database, dispose_database
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.login import wiring
from tenantgate.revoked.names import tenant_name, token_name, user_name
from tenantgate.settings.environment import get_settings
from tenantgate.tokens.jws import read_jws
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.tokens.verifier import VerifiedToken
from tests.fixtures.audit.events import recorded_events
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp
from tests.fixtures.providers.misbehaving import TENANT, MisbehavingProvider

ISSUER = "https://issuer.example"


def sign_out(browser: Browser, app: LoginApp, token: str, body: object = None) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return browser.post_json(app.logout_url, body or {}, headers=headers).status_code


def name_of(token: str) -> bytes:
    claims: Mapping[str, object] = read_jws(token, {})[1]
    token_id = claims.get("jti")
    return token_name(str(claims["iss"]), token_id if isinstance(token_id, str) else None, token)


@pytest.mark.parametrize("token_id", ["id-1", None])
def test_the_token_is_revoked_by_its_id_or_its_text(
    token_id: str | None, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    def edit(claims: dict[str, object]) -> dict[str, object]:
        others = {name: value for name, value in claims.items() if name != "jti"}
        return others if token_id is None else others | {"jti": token_id}

    provider.edit_access_token = edit
    token = provider.access_token()
    assert sign_out(browser, app, token) == 200
    assert app.revoked == [name_of(token)]


def test_nothing_is_revoked_by_a_request_that_is_refused(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    token = provider.access_token()
    forged = token[:-8] + "AAAAAAAA"
    assert sign_out(browser, app, forged) == 401
    assert sign_out(browser, app, token, {"redirect_uri": "https://evil.example/"}) == 400
    assert app.revoked == []


def test_a_revocation_that_is_not_known_everywhere_is_reported_and_may_be_repeated(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    token = provider.access_token()
    app.revocation_failure = CacheUnavailable("down")
    assert sign_out(browser, app, token, {"redirect_uri": ALLOWED_ORIGIN + "/"}) == 503
    app.revocation_failure = None
    assert sign_out(browser, app, token) == 200
    assert app.revoked == [name_of(token)] * 2


@pytest.mark.parametrize(
    ("seconds_left", "tenant_id", "log"),
    [
        (600, TENANT, TENANT),
        (-30, TENANT, TENANT),
        (-61, TENANT, None),
        # No tenant that a token may name.
        (600, DEPLOYMENT, DEPLOYMENT),
        (600, "org-1' OR true", DEPLOYMENT),
        (600, None, DEPLOYMENT),
    ],
)
def test_the_process_records_it_until_its_leeway_ends_in_the_tenants_log(
    seconds_left: int,
    tenant_id: str | None,
    log: str | None,
    database_urls: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = base64.urlsafe_b64encode(hashlib.sha256().digest()).decode()
    variables = {"ENVIRONMENT": "test", "COOKIE_SEALING_KEYS": key, "DATABASE_URL": database_urls.app_url}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    get_settings.cache_clear()
    now = int(time.time())
    expires_at, token_id = now + seconds_left, f"id-{seconds_left}-{tenant_id}"
    claims = MappingProxyType({"iss": ISSUER, "tenant_id": tenant_id})
    bearer = VerifiedToken(ISSUER, "user", now - 700, expires_at, frozenset(), claims, token_id)

    async def run() -> Row | None:
        try:
            await wiring._revoke_bearer(bearer, "a.b.c")
            async with database().untenanted() as unit:
                name = token_name(ISSUER, token_id, "")
                query = "SELECT kind, expires_at, user_name, tenant_name FROM revocations WHERE name = $1"
                return await unit.fetch_one(query, name)
        finally:
            await dispose_database()

    before = {one: len(asyncio.run(recorded_events(database_urls.admin_url, one))) for one in (TENANT, DEPLOYMENT)}
    try:
        row = asyncio.run(run())
    finally:
        get_settings.cache_clear()
    assert (row is None) is (log is None)
    if row is not None:
        assert (row["kind"], row["expires_at"].timestamp()) == ("token", expires_at + 60)
        is_known = log == TENANT
        assert row["user_name"] == (user_name(TENANT, ISSUER, "user") if is_known else None)
        assert row["tenant_name"] == (tenant_name(TENANT) if is_known else None)
    for one, number in before.items():
        events = asyncio.run(recorded_events(database_urls.admin_url, one))[number:]
        assert [event["event_type"] for event in events] == (["REVOKED"] if one == log else [])
