"""Every way in which a session ends records it, and the tokens that its clients got, in the same transaction."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tenantgate.audit.repository import event_values
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import Unit
from tenantgate.identity.principal import Principal
from tenantgate.revocation.repository import record_in
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import session_name, tenant_name, token_name, user_name
from tenantgate.sessions.backchannel.repository import NameRepository
from tenantgate.sessions.backchannel.service import NamedSessions, ProviderName
from tenantgate.sessions.ending.issued_tokens import MOST_TOKENS, with_token
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.errors import SecretReused
from tenantgate.sessions.models import SessionPolicy, SessionTokens, SignIn, StoredSession
from tenantgate.sessions.refreshing import repository as refreshes
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.storing import acts
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.refresh_stores import GRANTS, rotated
from tests.fixtures.databases.session_stores import ENDINGS, KEY, OTHER_TENANT, TENANT, session_service_of

pytestmark = pytest.mark.anyio

ISSUER = "https://issuer.example"
NOW = int(time.time())
TOKENS = SessionTokens("access", "id", "refresh")


def principal(token_id: str, *, expires_at: int = NOW + 7200, tenant_id: str = TENANT) -> Principal:
    return Principal("user-1", tenant_id, ISSUER, frozenset({"a"}), expires_at, claims={"jti": token_id})


class World:
    """A session with three access tokens, of which one has expired, and everything that may end it."""

    def __init__(self, database: PooledDatabase) -> None:
        self.database = database
        self.sessions = SessionRepository(database, ENDINGS)
        self.refreshes = RefreshRepository(database, ENDINGS)
        self.service = session_service_of(self.sessions)
        self.named = NamedSessions(NameRepository(database), self.sealer, self.made)

    async def sealer(self) -> Sealer:
        return Sealer([KEY])

    async def made(self) -> SessionService:
        return self.service

    async def start(self, *, tenant_id: str = TENANT, tokens: int = 2) -> tuple[str, StoredSession]:
        """Return a new session, and the value of its cookie."""
        started = await self.service.start(
            principal=principal("1", tenant_id=tenant_id), tokens=TOKENS, sign_in=SignIn(ISSUER, "user-1", sid="sid-1")
        )
        (row,) = [row for row in await self.service.of_user(started.session.user) if row.id == started.session.id]
        issued = with_token((), principal("expired", expires_at=NOW - 61), "", now=NOW - 100, leeway=60)
        issued += row.issued_tokens
        for number in range(2, tokens + 1):
            issued = issued[:1] + with_token(issued[1:], principal(str(number)), "", now=NOW, leeway=60)
        async with self.database.tenant(tenant_id) as unit:
            await unit.execute("UPDATE sessions SET issued_tokens = $2 WHERE id = $1", row.id, [*issued])
        return started.secret, replace(row, issued_tokens=issued)

    async def rotate(self, session: StoredSession, **changes: object) -> StoredSession:
        holder = await self.take_lease(session)
        after = replace(rotated(session), **changes)  # type: ignore[arg-type]
        assert await self.refreshes.rotate(session, holder, to=after) == "stored"
        return after

    async def take_lease(self, session: StoredSession) -> UUID:
        holder = uuid4()
        claim = await self.refreshes.claim(
            session.secret_hash,
            tenant_id=session.tenant_id,
            holder=holder,
            seconds=60,
            rotated_before=time.time(),
            only_expired=False,
        )
        assert claim is not None
        assert claim.is_taken
        return holder

    async def recorded(self) -> dict[bytes, tuple[str, int]]:
        """Return the kind and the expiry of each revocation by its name."""
        async with self.database.untenanted() as unit:
            rows = await unit.fetch_all("SELECT kind, name, expires_at FROM revocations")
        return {row["name"]: (row["kind"], round(row["expires_at"].timestamp())) for row in rows}

    async def epoch(self) -> int:
        async with self.database.untenanted() as unit:
            row = await unit.fetch_one("SELECT epoch FROM revocation_epoch")
        assert row is not None
        return int(row["epoch"])


@pytest.fixture
async def world(database_urls: DatabaseUrls) -> AsyncIterator[World]:
    wanted = ("DELETE FROM revocations", "DELETE FROM session_lookup", "DELETE FROM sessions")
    await asyncio.to_thread(execute, database_urls.admin_url, *wanted)
    database = PooledDatabase(database_urls.app_url)
    yield World(database)
    await database.dispose()


async def sign_out(world: World, secret: str, session: StoredSession) -> None:
    assert await world.service.end(secret) is not None


async def end_one(world: World, secret: str, session: StoredSession) -> None:
    assert await world.service.end_of_user(session.user, session.id) == 1


async def end_all(world: World, secret: str, session: StoredSession) -> None:
    assert await world.service.end_of_user(session.user) == 1


async def end_by_id(world: World, secret: str, session: StoredSession) -> None:
    assert await world.service.end_sessions([session.id], tenant_id=session.tenant_id)


async def end_by_name(world: World, secret: str, session: StoredSession) -> None:
    assert await world.named.end(ProviderName(ISSUER, "user-1", "sid-1"))


async def reuse(world: World, secret: str, session: StoredSession) -> None:
    await world.rotate(session, rotated_at=time.time() - 60, issued_tokens=session.issued_tokens)
    with pytest.raises(SecretReused):
        await world.service.locate(secret)


async def rejection_at_refresh(world: World, secret: str, session: StoredSession) -> None:
    assert await world.refreshes.end(session, await world.take_lease(session)) is not None


WAYS = (sign_out, end_one, end_all, end_by_id, end_by_name, reuse, rejection_at_refresh)
type Way = Callable[[World, str, StoredSession], Awaitable[None]]


@pytest.mark.parametrize("way", WAYS)
async def test_each_end_records_the_session_and_its_unexpired_tokens(way: Way, world: World) -> None:
    secret, session = await world.start()
    before = await world.epoch()
    await way(world, secret, session)
    assert await world.recorded() == {
        session_name(TENANT, str(session.id)): ("session", pytest.approx(NOW + 7260, abs=3)),
        token_name(ISSUER, "1", ""): ("token", NOW + 7260),
        token_name(ISSUER, "2", ""): ("token", NOW + 7260),
    }
    assert await world.epoch() == before + 3
    assert await world.service.of_user(session.user) == []


async def test_a_record_names_the_session_and_its_tenant_for_snapshots_that_are_too_large(world: World) -> None:
    secret, session = await world.start()
    await world.service.end(secret)
    async with world.database.untenanted() as unit:
        rows = await unit.fetch_all("SELECT DISTINCT user_name, tenant_name FROM revocations")
    assert [tuple(row.values()) for row in map(dict, rows)] == [(user_name(*session.user), tenant_name(TENANT))]


@pytest.mark.parametrize("way", [sign_out, end_one, end_all, end_by_id, rejection_at_refresh])
async def test_a_record_that_fails_keeps_the_session_and_an_end_that_fails_leaves_no_record(
    way: Way, world: World
) -> None:
    async def record_and_fail(unit: Unit, revocations: Iterable[Revocation], *, at: float) -> None:
        await record_in(unit, revocations, at=at)
        raise RuntimeError("killed")

    secret, session = await world.start()
    before = await world.epoch()
    failing = Endings(record_and_fail, SessionPolicy())
    world.sessions, world.refreshes = (
        SessionRepository(world.database, failing),
        RefreshRepository(world.database, failing),
    )
    world.service = session_service_of(world.sessions)
    with pytest.raises(RuntimeError, match="killed"):
        await way(world, secret, session)
    assert await world.recorded() == {}
    assert await world.epoch() == before
    assert [row.id for row in await world.service.of_user(session.user)] == [session.id]


async def test_another_tenant_ends_and_records_nothing(world: World) -> None:
    _, session = await world.start()
    foreign = session.user._replace(tenant_id=OTHER_TENANT)
    assert await world.service.end_of_user(foreign, session.id) == 0
    assert await world.service.end_of_user(foreign) == 0
    assert await world.service.end_sessions([session.id], tenant_id=OTHER_TENANT) == []
    assert await world.recorded() == {}
    await world.service.end_of_user(session.user)
    assert session_name(OTHER_TENANT, str(session.id)) not in await world.recorded()


async def test_tokens_beyond_the_bound_revoke_what_the_user_has(world: World) -> None:
    secret, session = await world.start(tokens=MOST_TOKENS)
    await world.service.end(secret)
    assert len(await world.recorded()) == MOST_TOKENS + 1
    secret, session = await world.start(tokens=MOST_TOKENS + 1)
    before = await world.recorded()
    await world.service.end(secret)
    added = {name: value for name, value in (await world.recorded()).items() if name not in before}
    assert added == {
        session_name(TENANT, str(session.id)): ("session", pytest.approx(NOW + 7260, abs=3)),
        user_name(*session.user): ("user", NOW + 7260),
    }


class TestConcurrentEndAndRefresh:
    """Whichever is first: no token that a refresh returned outlives the session."""

    @pytest.mark.parametrize("way", [end_all, sign_out])
    @pytest.mark.parametrize("new_id", [False, True])
    async def test_a_rotation_that_commits_first_is_revoked_with_its_new_token(
        self, way: Way, new_id: bool, world: World
    ) -> None:
        secret, session = await world.start()
        holder = await world.take_lease(session)
        issued = with_token(session.issued_tokens, principal("new"), "", now=NOW, leeway=60)
        after = replace(rotated(session, grants=GRANTS if new_id else None), issued_tokens=issued)
        after = replace(after, sealed_tokens=session.sealed_tokens, rotated_at=time.time())
        async with world.database.tenant(TENANT) as unit:
            event = event_values(acts.refreshed(session, after))
            values = (TENANT, session.id, holder, *refreshes._rotated(after), session.secret_hash, *event)
            assert await unit.fetch_one(refreshes._ROTATE, *values) is not None
            if new_id:
                await unit.execute(refreshes._FOLLOW, TENANT, session.id, after.id)
            # It waits for the row that the rotation holds.
            ending = asyncio.create_task(self._end(way, world, secret, session))
            await asyncio.sleep(0.2)
            assert not ending.done()
        await ending
        recorded = await world.recorded()
        assert token_name(ISSUER, "new", "") in recorded
        assert session_name(TENANT, str(after.id)) in recorded
        assert await world.service.of_user(session.user) == []

    async def _end(self, way: Way, world: World, secret: str, session: StoredSession) -> None:
        if way is end_all:
            await world.service.end_of_user(session.user)
        else:
            await world.service.end(secret)

    async def test_a_rotation_after_the_end_fails(self, world: World) -> None:
        secret, session = await world.start()
        holder = await world.take_lease(session)
        await world.service.end(secret)
        assert await world.refreshes.rotate(session, holder, to=rotated(session)) == "ended"

    async def test_at_the_same_moment_every_stored_rotation_is_revoked(self, world: World) -> None:
        stored = 0
        for number in range(40):
            secret, session = await world.start()
            holder = await world.take_lease(session)
            new = principal(f"new-{number}")
            issued = with_token(session.issued_tokens, new, "", now=NOW, leeway=60)
            after = replace(rotated(session, grants=GRANTS if number % 2 else None), issued_tokens=issued)
            after = replace(after, secret_hash=hashlib.sha256(b"%d" % number).digest(), rotated_at=time.time())
            after = replace(after, sealed_tokens=session.sealed_tokens)
            way = world.service.end(secret) if number % 4 < 2 else world.service.end_of_user(session.user)
            rotation, _ = await asyncio.gather(
                world.refreshes.rotate(session, holder, to=after),
                way,
            )
            assert await world.service.of_user(session.user) == []
            assert rotation in {"stored", "ended"}
            stored += rotation == "stored"
            assert (token_name(ISSUER, f"new-{number}", "") in await world.recorded()) is (rotation == "stored")
        assert stored > 0
