"""The end of a session is published before it is acknowledged; a repeated request completes one that failed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache.interface import ScriptCall
from tenantgate.cache.wiring import cache
from tenantgate.cache_url import parse_cache_url
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.wiring import dispose_database
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.principal import Principal
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revocation.models import RevocationPolicy
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revocation.service import RevocationService
from tenantgate.revoked.names import session_name, token_name
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, Snapshot
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.backchannel.repository import NameRepository
from tenantgate.sessions.backchannel.service import NamedSessions, ProviderName
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import SessionPolicy, SessionTokens, SignIn, StartedSession
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_service
from tenantgate.settings.environment import get_settings
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.session_stores import ENDINGS, KEY, TENANT, session_service_of

pytestmark = pytest.mark.anyio

ISSUER = "https://issuer.example"


class FlakyCache:
    """Valkey, which can be reached unless `down`."""

    def __init__(self, values: ValkeyCache) -> None:
        self.values = values
        self.down = False

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        self._require_up()
        return await self.values.get_many(keys)

    async def set(self, key: str, value: bytes, *, seconds: int) -> None:
        self._require_up()
        await self.values.set(key, value, seconds=seconds)

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[bytes | str | int]) -> object:
        self._require_up()
        return await self.values.run_script(script, keys, args)

    async def run_script_for_each(self, script: str, calls: Sequence[ScriptCall]) -> None:
        self._require_up()
        await self.values.run_script_for_each(script, calls)

    def _require_up(self) -> None:
        if self.down:
            raise CacheUnavailable("down")


class World:
    """The services of sessions on PostgreSQL and Valkey."""

    def __init__(self, database: PooledDatabase, values: FlakyCache) -> None:
        self.values = values
        store = RevocationRepository(database, closed=False)
        self.revocations = RevocationService(store, Publisher(Recorded(store), values), RevocationPolicy())
        cache = SessionCache(values, SessionPolicy(), publish=self.publish)
        self.service = session_service_of(SessionRepository(database, ENDINGS), cache=cache)
        self.named = NamedSessions(NameRepository(database), self.sealer, self.made)

    async def sealer(self) -> Sealer:
        return Sealer([KEY])

    async def made(self) -> SessionService:
        return self.service

    async def publish(self) -> None:
        await self.revocations.spread()

    async def refused(self, started: StartedSession, token_id: str) -> bool:
        return await refused(self.values.values, started, token_id)


async def refused(values: ValkeyCache, started: StartedSession, token_id: str) -> bool:
    """Tell whether readers of Valkey refuse the session and its token."""
    (body,) = await values.get_many([BODY_KEY])
    snapshot = Snapshot.from_json(body or b"")
    names = {session_name(TENANT, str(started.session.id)), token_name(ISSUER, token_id, "")}
    return snapshot is not None and names <= snapshot.exact


async def start(service: SessionService, token_id: str, *, sid: str = "sid-1") -> StartedSession:
    principal = Principal("user-1", TENANT, ISSUER, frozenset(), 2_000_000_000, claims={"jti": token_id})
    tokens = SessionTokens("access", "id", "refresh")
    return await service.start(principal=principal, tokens=tokens, sign_in=SignIn(ISSUER, "user-1", sid=sid))


@pytest.fixture
async def world(database_urls: DatabaseUrls, redis_url: str) -> AsyncIterator[World]:
    database = PooledDatabase(database_urls.app_url)
    values = ValkeyCache(parse_cache_url(redis_url, protection="private-network", relaxed=True))
    yield World(database, FlakyCache(values))
    await values.dispose()
    await database.dispose()


async def test_an_end_is_in_valkey_when_it_is_acknowledged(world: World) -> None:
    started = await start(world.service, "one")
    await world.service.end(started.secret)
    assert await world.refused(started, "one")


async def test_without_valkey_an_end_is_recorded_and_a_repeated_sign_out_publishes_it(world: World) -> None:
    started = await start(world.service, "two")
    world.values.down = True
    for expected in ([started.session.id], []):
        with pytest.raises(EndedOnlyInPart) as unfinished:
            await world.service.end(started.secret)
        assert [session.id for session in unfinished.value.ended] == expected
    world.values.down = False
    assert not await world.refused(started, "two")
    assert await world.service.end(started.secret) is None
    assert await world.refused(started, "two")


async def test_a_repeated_end_of_all_sessions_publishes_it(world: World) -> None:
    started = await start(world.service, "three")
    world.values.down = True
    with pytest.raises(EndedOnlyInPart):
        await world.service.end_of_user(started.session.user)
    world.values.down = False
    assert await world.service.end_of_user(started.session.user) == 0
    assert await world.refused(started, "three")


async def test_a_repeated_logout_token_publishes_it(world: World) -> None:
    started = await start(world.service, "four", sid="sid-4")
    name = ProviderName(ISSUER, None, "sid-4")
    world.values.down = True
    for ended in (1, 0):
        with pytest.raises(EndedOnlyInPart) as unfinished:
            await world.named.end(name)
        assert len(unfinished.value.ended) == ended
    world.values.down = False
    assert await world.named.end(name) == []
    assert await world.refused(started, "four")


async def test_a_publication_that_loses_postgresql_leaves_the_end_unfinished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise DatabaseUnreachable("gone")

    started = await start(world.service, "five")
    monkeypatch.setattr(world.revocations, "spread", fail)
    with pytest.raises(EndedOnlyInPart) as unfinished:
        await world.service.end(started.secret)
    assert [session.id for session in unfinished.value.ended] == [started.session.id]


def test_the_process_connects_them(
    database_urls: DatabaseUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "ENVIRONMENT": "test",
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(hashlib.sha256().digest()).decode(),
        "DATABASE_URL": database_urls.app_url,
        "REDIS_URL": redis_url,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    get_settings.cache_clear()
    secret_store.cache_clear()

    async def run() -> bool:
        try:
            service = await session_service()
            started = await start(service, "six")
            await service.end(started.secret)
            values = cache()
            assert isinstance(values, ValkeyCache)
            assert (await values.get_many([HEAD_KEY]))[0] is not None
            return await refused(values, started, "six")
        finally:
            if (values := cache()) is not None:
                await values.dispose()
            await dispose_database()

    try:
        assert asyncio.run(run())
    finally:
        get_settings.cache_clear()
        secret_store.cache_clear()
