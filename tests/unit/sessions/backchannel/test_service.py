"""The end of sessions by logout tokens and by the provider's names."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import override
from uuid import UUID, uuid4

import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.tokens import InvalidClaim, WrongTokenType
from tenantgate.identity.principal import Principal
from tenantgate.sessions.backchannel.service import LogoutTokenService, NamedSessions, ProviderName
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import (
    BY_PROVIDER,
    End,
    SessionPolicy,
    SessionTokens,
    SignIn,
    StartedSession,
    StoredSession,
)
from tenantgate.sessions.service import SessionService
from tenantgate.tokens.logout_token import LogoutToken
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.databases.session_stores import (
    KEY,
    OTHER_TENANT,
    TENANT,
    MemorySessionStore,
    session_service_of,
)
from tests.fixtures.revoked.keys import RevokedKeys
from tests.fixtures.tokens.issuer import ManualClock

pytestmark = pytest.mark.anyio

ISSUER = "https://issuer.example"
NOW = 4_000_000_000  # later than the system's clock, which the store in memory reads
NEW_KEY = base64.urlsafe_b64encode(hashlib.sha256(b"a newer sealing key").digest()).decode()
TOKENS = SessionTokens("access", "id", "refresh")


class BreakingStore(MemorySessionStore):
    """Fails at the removal from one tenant, while it is set."""

    down: str | None = None

    @override
    async def remove(
        self, session_ids: Sequence[UUID], *, tenant_id: str, end: End = BY_PROVIDER
    ) -> Sequence[StoredSession]:
        if tenant_id == self.down:
            raise DatabaseUnreachable("connection refused")
        return await super().remove(session_ids, tenant_id=tenant_id, end=end)


class ParsedTokens:
    """A verifier whose tokens are registered beforehand, by their text."""

    def __init__(self) -> None:
        self.known: dict[str, LogoutToken] = {}

    def verify_logout_token(self, token: str, *, client_id: str, fetch: bool) -> LogoutToken:
        assert client_id == "client-1"
        assert not fetch
        if token not in self.known:
            raise WrongTokenType("this is not a logout token", actual="at+jwt")
        return self.known[token]


class World:
    """The services over one store, with one clock."""

    def __init__(self) -> None:
        self.store = BreakingStore()
        self.clock = ManualClock(NOW)
        self.verifier = ParsedTokens()
        self.revoked = RevokedKeys()
        self.keys: Sequence[str] = [KEY]
        self.cache: SessionCache | None = None

    @property
    def sessions(self) -> SessionService:
        return session_service_of(self.store, keys=self.keys, clock=self.clock, cache=self.cache)

    @property
    def named(self) -> NamedSessions:
        async def sealer() -> Sealer:
            return Sealer(self.keys)

        async def sessions() -> SessionService:
            return self.sessions

        return NamedSessions(self.store, sealer, sessions)

    @property
    def service(self) -> LogoutTokenService:
        return LogoutTokenService(
            self.verifier,
            self.store,
            self.named,
            client_id="client-1",
            require_key=self.revoked.require,
            clock=self.clock,
        )

    async def start(
        self, *, tenant_id: str = TENANT, subject: str = "user-1", sid: str | None = None, issued_at: int | None = None
    ) -> StartedSession:
        principal = Principal(
            user_id=subject,
            tenant_id=tenant_id,
            issuer=ISSUER,
            scopes=frozenset(),
            expires_at=NOW + 600,
        )
        at = int(self.clock.now) if issued_at is None else issued_at
        sign_in = SignIn(ISSUER, subject, issued_at=at, sid=sid)
        return await self.sessions.start(principal=principal, tokens=TOKENS, sign_in=sign_in)

    def token(self, *, subject: str | None = None, sid: str | None = None, issuer: str = ISSUER) -> str:
        """Return the text of a new logout token, issued now."""
        token_id, now = str(uuid4()), int(self.clock.now)
        self.verifier.known[token_id] = LogoutToken(issuer, subject, sid, token_id, now, now + 120, "kid-1")
        return token_id

    @property
    def live(self) -> set[UUID]:
        return {row.id for row in self.store.rows.values()}


@pytest.fixture
def world() -> World:
    return World()


async def test_a_sid_ends_only_its_session(world: World) -> None:
    mine, other, without = await world.start(sid="a"), await world.start(sid="b"), await world.start()
    await world.service.receive(world.token(sid="a"))
    assert world.live == {other.session.id, without.session.id}
    with pytest.raises(SessionEnded):
        await world.sessions.locate(mine.secret)


async def test_a_subject_ends_all_sessions_of_the_user_in_every_tenant(world: World) -> None:
    await world.start(sid="a")
    await world.start(tenant_id=OTHER_TENANT)
    other = await world.start(subject="user-2")
    await world.service.receive(world.token(subject="user-1"))
    assert world.live == {other.session.id}


async def test_an_end_in_one_tenant_leaves_the_others(world: World) -> None:
    kept = await world.start()
    ended = await world.start(tenant_id=OTHER_TENANT)
    found = await world.named.end(ProviderName(ISSUER, "user-1", None), tenant_id=OTHER_TENANT)
    assert [session.id for session in found] == [ended.session.id]
    assert world.live == {kept.session.id}


async def test_both_end_only_sessions_that_have_both(world: World) -> None:
    await world.start(sid="a")
    kept = [await world.start(sid="b"), await world.start(), await world.start(subject="user-2", sid="a")]
    await world.service.receive(world.token(subject="user-1", sid="a"))
    assert world.live == {started.session.id for started in kept}


async def test_a_sid_that_equals_a_subject_is_not_confused_with_it(world: World) -> None:
    kept = [await world.start(subject="x"), await world.start(sid="user-1")]
    await world.service.receive(world.token(sid="x"))
    await world.service.receive(world.token(subject="x\0y"))
    assert world.live == {started.session.id for started in kept}


async def test_another_issuers_names_find_nothing(world: World) -> None:
    kept = await world.start(sid="a")
    await world.service.receive(world.token(sid="a", issuer="https://other.example"))
    assert world.live == {kept.session.id}


async def test_a_session_that_does_not_exist_is_a_success(world: World) -> None:
    await world.service.receive(world.token(sid="unknown"))


async def test_a_session_is_found_under_an_older_sealing_key(world: World) -> None:
    await world.start(sid="a")
    world.keys = [NEW_KEY, KEY]
    other = await world.start(sid="b")
    await world.service.receive(world.token(sid="a"))
    assert world.live == {other.session.id}


async def test_a_copy_does_not_end_the_next_session(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.start()
    token = world.token(subject="user-1")
    await world.service.receive(token)
    world.clock.pass_by(30)
    again = await world.start()
    with pytest.raises(InvalidClaim, match="received before"):
        await world.service.receive(token)
    assert world.live == {again.session.id}
    (refused,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert vars(refused)["context"]["event"] == "LOGOUT_TOKEN_REFUSED"


async def test_a_refused_token_is_logged_without_its_text(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WrongTokenType):
        await world.service.receive("the-canary")
    assert "LOGOUT_TOKEN_REFUSED" in str([vars(record).get("context") for record in caplog.records])
    assert "the-canary" not in str([vars(record) for record in caplog.records])


async def test_of_concurrent_deliveries_of_one_token_the_late_ones_are_copies(world: World) -> None:
    await world.start(sid="a")
    other = await world.start(sid="b")
    token = world.token(sid="a")
    received = [world.service.receive(token) for _ in range(8)]
    results = await asyncio.gather(*received, return_exceptions=True)
    assert None in results
    assert all(result is None or isinstance(result, InvalidClaim) for result in results)
    assert world.live == {other.session.id}


async def test_the_provider_may_repeat_a_token_after_our_failure(world: World) -> None:
    await world.start(tenant_id=TENANT)
    await world.start(tenant_id=OTHER_TENANT)
    token = world.token(subject="user-1")
    world.store.down = OTHER_TENANT
    with pytest.raises(DatabaseUnreachable):
        await world.service.receive(token)
    world.store.down = None
    await world.service.receive(token)
    assert not world.live
    with pytest.raises(InvalidClaim):
        await world.service.receive(token)


async def test_every_tenants_sessions_end_although_valkey_is_down(world: World) -> None:
    await world.start(tenant_id=TENANT)
    await world.start(tenant_id=OTHER_TENANT)
    world.cache = SessionCache(RecordingCache(down=True), SessionPolicy())
    token = world.token(subject="user-1")
    with pytest.raises(EndedOnlyInPart) as unfinished:
        await world.service.receive(token)
    assert len(unfinished.value.ended) == 2
    assert not world.live
    world.cache = None
    await world.service.receive(token)


async def test_ended_sessions_are_returned(world: World) -> None:
    started = await world.start(sid="a")
    (ended,) = await world.named.end(ProviderName(ISSUER, None, "a"))
    assert ended.id == started.session.id
    assert not await world.named.end(ProviderName(ISSUER, None, "a"))


async def test_a_session_whose_id_changes_meanwhile_ends_too(world: World) -> None:
    started = await world.start(sid="a")
    (key,) = world.store.rows
    find, renamed = world.store.find_named, uuid4()

    async def rename(digests: Sequence[Sequence[bytes]]) -> Sequence[tuple[str, UUID]]:
        found = await find(digests)
        row = world.store.rows.get(key)
        if row is not None and row.id == started.session.id:
            # As a refresh does that changes the grants, right after the look-up.
            world.store.rows[key] = replace(row, id=renamed)
            world.store.lookups[renamed] = world.store.lookups[row.id]
        return found

    world.store.find_named = rename  # type: ignore[method-assign]
    await world.service.receive(world.token(sid="a"))
    assert not world.live


@pytest.mark.parametrize(
    ("names", "is_refused"),
    [
        pytest.param({"subject": "user-1"}, True, id="by-subject"),
        pytest.param({"sid": "a"}, True, id="by-sid"),
        pytest.param({"subject": "user-1", "sid": "a"}, True, id="by-both"),
        pytest.param({"subject": "user-1", "sid": "b"}, False, id="another-sid"),
        pytest.param({"subject": "user-2"}, False, id="another-subject"),
    ],
)
async def test_a_sign_in_that_was_running_starts_no_session(
    names: dict[str, str], is_refused: bool, world: World
) -> None:
    id_token_issued_at = NOW
    world.clock.pass_by(1)
    await world.service.receive(world.token(**names))
    if not is_refused:
        assert await world.start(sid="a", issued_at=id_token_issued_at)
        return
    with pytest.raises(SessionEnded):
        await world.start(sid="a", issued_at=id_token_issued_at)
    assert not world.live


async def test_a_sign_in_after_the_logout_starts_a_session(world: World) -> None:
    await world.service.receive(world.token(subject="user-1"))
    world.clock.pass_by(1)
    assert await world.start()


async def test_a_logout_between_the_row_and_the_check_of_a_sign_in_ends_the_session(world: World) -> None:
    """Every order of the two is safe: the logout token finds the row, or the sign-in finds the token."""
    add = world.store.add

    async def add_and_log_out(session: StoredSession, *, lookups: Sequence[bytes] = ()) -> None:
        await add(session, lookups=lookups)
        await world.service.receive(world.token(subject="user-1"))

    world.store.add = add_and_log_out  # type: ignore[method-assign]
    with pytest.raises(SessionEnded):
        await world.start()
    assert not world.live
