"""The refresh of a session: rotation, replay and errors, with a clock that the tests move."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable, TenantNotAllowed
from tenantgate.sessions.errors import NoRefreshToken, SecretReused
from tenantgate.sessions.models import SessionPolicy, TenantState
from tenantgate.sessions.refreshing.models import Refreshed, Verified
from tests.fixtures.databases.session_stores import OTHER_TENANT, TENANT
from tests.fixtures.login.refreshes import Refreshes, principal

pytestmark = pytest.mark.anyio


@pytest.fixture
def refreshes() -> Refreshes:
    return Refreshes()


async def refreshed(refreshes: Refreshes, secret: str) -> Refreshed:
    return (await refreshes.service().refresh(secret)).require()


async def test_a_refresh_brings_a_new_token_and_a_new_secret(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.clock.pass_by(100)
    outcome = await refreshes.service().refresh(started.secret)
    result = outcome.require()
    assert result.access_token == "access-1"
    assert (result.expires_in, result.lifetime) == (600, 12 * 3600 - 100)
    assert result.secret.startswith(f"{TENANT}.")
    assert result.secret != started.secret
    assert outcome.csrf_token == started.session.csrf_token
    found = await refreshes.session_service.find_live(result.secret)
    assert found.id == started.session.id
    assert found.tokens.refresh_token == "refresh-1"
    assert (refreshes.row.version, refreshes.row.last_used_at) == (2, int(refreshes.clock()))


async def test_no_secret_or_token_shows_in_a_representation_or_at_rest(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    outcome = await refreshes.service().refresh(started.secret)
    shown = repr(outcome) + repr(outcome.result) + repr(refreshes.row)
    result = outcome.require()
    assert "access-1" not in shown
    assert result.secret.rpartition(".")[2] not in shown + (refreshes.row.sealed_replay or "")
    assert outcome.csrf_token not in shown


async def test_within_the_grace_both_secrets_return_the_same_result(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    first = await refreshed(refreshes, started.secret)
    refreshes.clock.pass_by(9)
    for secret in (started.secret, first.secret):
        again = await refreshed(refreshes, secret)
        assert again == replace(first, expires_in=first.expires_in - 9, lifetime=first.lifetime - 9)
    assert refreshes.provider.redeemed == ["refresh-0"]


async def test_after_the_grace_the_new_secret_rotates_again(refreshes: Refreshes) -> None:
    secret = (await refreshes.start()).secret
    for number in range(1, 4):
        result = await refreshed(refreshes, secret)
        assert (result.access_token, result.secret != secret) == (f"access-{number}", True)
        secret = result.secret
        refreshes.clock.pass_by(10)
    assert refreshes.provider.redeemed == ["refresh-0", "refresh-1", "refresh-2"]


@pytest.mark.parametrize("steps_back", [1, 2, 3])
async def test_any_earlier_secret_after_the_grace_ends_the_session(
    steps_back: int, refreshes: Refreshes, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = [(await refreshes.start()).secret]
    for _ in range(3):
        secrets.append((await refreshed(refreshes, secrets[-1])).secret)
        refreshes.clock.pass_by(10)
    caplog.set_level(logging.WARNING)
    with pytest.raises(SecretReused):
        await refreshes.service().refresh(secrets[-1 - steps_back])
    for secret in secrets:
        with pytest.raises(SessionEnded):
            await refreshes.service().refresh(secret)
        with pytest.raises(SessionEnded):
            await refreshes.session_service.find_live(secret)
    (event,) = [getattr(record, "context", {}) for record in caplog.records]
    assert event["event"] == "SESSION_SECRET_REUSED"
    assert all(secret.rpartition(".")[2] not in caplog.text + repr(event) for secret in secrets)


async def test_an_older_secret_ends_the_session_even_within_the_grace(refreshes: Refreshes) -> None:
    first = (await refreshes.start()).secret
    second = (await refreshed(refreshes, first)).secret
    refreshes.clock.pass_by(10)
    await refreshed(refreshes, second)
    with pytest.raises(SecretReused):
        await refreshes.service().refresh(first)


@pytest.mark.parametrize("owner_is_first", [True, False])
async def test_the_second_user_of_a_stolen_secret_ends_the_session(owner_is_first: bool, refreshes: Refreshes) -> None:
    stolen = (await refreshes.start()).secret
    first = await refreshed(refreshes, stolen)
    refreshes.clock.pass_by(60)
    # Owner and thief do the same. The order of the two makes no difference.
    with pytest.raises(SecretReused):
        await refreshes.service().refresh(stolen)
    with pytest.raises(SessionEnded):
        await refreshes.service().refresh(first.secret)


async def test_changed_rights_bring_a_new_id_and_csrf_token(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.verified = Verified(principal(scopes=frozenset({"orders:write"})), 1_800_000_600)
    outcome = await refreshes.service().refresh(started.secret)
    result, row = outcome.require(), refreshes.row
    assert row.id != started.session.id
    assert outcome.csrf_token != started.session.csrf_token
    assert row.grants.scopes == ("orders:write",)
    assert (row.grants.acr, row.grants.amr) == ("1", ("pwd",)), "a refresh is not a sign-in"
    assert refreshes.sessions.lookups.keys() == {row.id}
    assert await refreshed(refreshes, started.secret) == await refreshed(refreshes, result.secret) == result
    assert (await refreshes.session_service.find_live(result.secret)).tokens.access_token == "access-1"


@pytest.mark.parametrize("changes", [{"acr": "2"}, {"amr": ("hwk",)}], ids=["another-level", "another-method"])
async def test_a_restated_sign_in_that_differs_changes_the_rights(
    changes: dict[str, Any], refreshes: Refreshes
) -> None:
    started = await refreshes.start()
    refreshes.provider.verified = replace(Verified(principal(), 1_800_000_600), **changes)
    await refreshed(refreshes, started.secret)
    assert refreshes.row.id != started.session.id
    assert refreshes.row.auth_time == started.session.auth_time, "our own time of the sign-in stays"


async def test_a_provider_without_refresh_tokens(refreshes: Refreshes) -> None:
    started = await refreshes.start(refresh_token=None)
    refreshes.clock.pass_by(100)
    for _ in range(2):
        outcome = await refreshes.service().refresh(started.secret)
        assert isinstance(outcome.result, NoRefreshToken)
        assert outcome.csrf_token == started.session.csrf_token
    assert refreshes.row.lease_holder is None
    assert refreshes.row.last_used_at == int(refreshes.clock())
    assert (await refreshes.session_service.find_live(started.secret)).id == started.session.id


async def test_a_refused_refresh_token_ends_the_session(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.current = "revoked"
    with pytest.raises(SessionEnded, match="invalid_grant"):
        await refreshes.service().refresh(started.secret)
    assert not refreshes.sessions.rows


async def test_an_unreachable_provider_leaves_the_session(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.error = ProviderUnreachable("down")
    outcome = await refreshes.service().refresh(started.secret)
    assert outcome.result is refreshes.provider.error
    assert outcome.csrf_token == started.session.csrf_token
    refreshes.provider.error = None
    assert (await refreshed(refreshes, started.secret)).access_token == "access-1"


async def test_tokens_that_cannot_be_verified_now_are_kept_for_the_next_attempt(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.verification_error = ProviderUnreachable("no keys")
    outcome = await refreshes.service().refresh(started.secret)
    assert isinstance(outcome.result, ProviderUnreachable)
    refreshes.provider.verification_error = None
    assert (await refreshed(refreshes, started.secret)).access_token == "access-2"
    assert refreshes.provider.redeemed == ["refresh-0", "refresh-1"]


async def test_tokens_of_another_user_end_the_session_and_are_revoked(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.verification_error = SessionEnded("another user")
    with pytest.raises(SessionEnded):
        await refreshes.service().refresh(started.secret)
    assert not refreshes.sessions.rows
    assert refreshes.provider.revoked == ["refresh-1"]


async def test_a_session_that_ends_during_its_refresh_stays_ended(refreshes: Refreshes) -> None:
    started = await refreshes.start()

    async def sign_out() -> None:
        assert await refreshes.session_service.end(started.secret) is not None

    refreshes.provider.after = sign_out
    with pytest.raises(SessionEnded):
        await refreshes.service().refresh(started.secret)
    assert not refreshes.sessions.rows
    assert refreshes.provider.revoked == ["refresh-1"]


@pytest.mark.parametrize(
    ("state", "registers", "error"),
    [
        pytest.param(TenantState("suspended"), True, SessionEnded, id="suspended"),
        pytest.param(TenantState(allowed_issuers=("https://other.example",)), True, SessionEnded, id="issuer"),
        pytest.param(TenantState(idle_minutes=1), True, SessionEnded, id="idle-by-the-tenants-policy"),
        pytest.param(None, False, TenantNotAllowed, id="not-registered-and-closed"),
    ],
)
async def test_the_tenant_must_still_admit_the_user(
    state: TenantState | None, registers: bool, error: type[TenantgateError], refreshes: Refreshes
) -> None:
    started = await refreshes.start()
    refreshes.sessions.tenants = {} if state is None else {TENANT: state}
    refreshes.policy = SessionPolicy(registers_tenants=registers)
    refreshes.clock.pass_by(61)
    with pytest.raises(error):
        await refreshed(refreshes, started.secret)
    assert refreshes.provider.redeemed == []
    refreshes.sessions.tenants = {TENANT: TenantState()}
    refreshes.sessions.rows = {key: replace(row, lease_until=0) for key, row in refreshes.sessions.rows.items()}
    assert (await refreshed(refreshes, started.secret)).access_token == "access-1"


@pytest.mark.parametrize("hours", [0.51, 12.01], ids=["idle", "absolute"])
async def test_a_session_that_timed_out_is_not_refreshed(hours: float, refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.clock.pass_by(hours * 3600)
    with pytest.raises(SessionEnded):
        await refreshes.service().refresh(started.secret)
    assert refreshes.provider.redeemed == []


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 100_000, id="huge"),
        pytest.param(f"{TENANT}.{'A' * 43}", id="unknown"),
        pytest.param(f"%00.{'A' * 43}", id="nul"),
    ],
)
async def test_a_forged_secret_is_refused(forged: str, refreshes: Refreshes) -> None:
    started = await refreshes.start()
    for secret in (forged, started.secret.replace(TENANT, OTHER_TENANT), started.secret[:-1], started.secret + "A"):
        with pytest.raises(SessionEnded):
            await refreshes.service().refresh(secret)
    assert refreshes.provider.redeemed == []
    assert (await refreshed(refreshes, started.secret)).access_token == "access-1"


async def test_a_provider_whose_keys_are_slow_costs_no_token(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.limits = replace(refreshes.limits, verify=0.0)
    refreshes.provider.verification_delay = 1
    outcome = await refreshes.service().refresh(started.secret)
    assert isinstance(outcome.result, ProviderTimeout)
    assert (await refreshes.session_service.find_live(started.secret)).tokens.refresh_token == "refresh-1"
