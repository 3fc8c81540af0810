"""The users of docs/CACHE.md: each may do what its programs do, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import replace
from urllib.parse import urlsplit

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session import CachedSessions
from tenantgate.identity.session_entry import SESSION_SECRETS, TOMBSTONE
from tenantgate.provider_copies.store import ProviderCopies
from tenantgate.provider_copies.wiring import key_set_copies
from tenantgate.rate_limits.counters import counter
from tenantgate.rate_limits.limiter import RateLimiter
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.reader import RevocationReader
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy
from tenantgate.settings.rate_limits import Limit
from tenantgate.valkey_reader.reader import ValkeyReader
from tenantgate_cli.generate.cache import ACL
from tests.fixtures.authorizer.sessions import entry, keys_of
from tests.fixtures.databases.session_stores import stored_session
from tests.fixtures.databases.valkey import command
from tests.fixtures.revoked.stores import LoggingStore
from tests.fixtures.tokens.issuer import TENANT, policy_of

pytestmark = pytest.mark.anyio

PASSWORD = "PASSWORD"


@pytest.fixture
def users(redis_url: str) -> Iterator[dict[str, str]]:
    """Make the users, and return the URL of each."""
    lines = [line.split() for line in ACL.splitlines()]
    for line in lines:
        command(redis_url, *line)
    place = urlsplit(redis_url).netloc.rpartition("@")[2]
    yield {line[2]: f"redis://{line[2]}:{PASSWORD}@{place}/0" for line in lines}
    for line in lines:
        command(redis_url, "ACL", "DELUSER", line[2])


async def test_the_users_do_what_their_programs_need(users: dict[str, str], redis_url: str) -> None:
    web = ValkeyCache(parse_cache_url(users["web"], protection="verify-full"))
    reader = ValkeyReader(parse_cache_url(users["authorizer"], protection="verify-full"))
    try:
        await web.ping(2)
        cache = SessionCache(web, SessionPolicy())
        secret = SESSION_SECRETS.issue(TENANT)
        live = stored_session(secret_hash=secret.digest, tenant_id=TENANT)
        await cache.put(live, read_at=time.time())
        found = CachedSessions(reader).find(secret.text)
        CachedSessions(reader).mark_used(replace(found, used_key=keys_of(secret.text).used))
        assert await cache.last_use(TENANT, [secret.digest]) > 0

        await cache.end_secret(TENANT, secret.digest)
        with pytest.raises(SessionEnded):
            CachedSessions(reader).find(secret.text)
        await cache.remove_tombstone(TENANT, secret.digest)

        (used,) = await RateLimiter(lambda: web).count([counter("address", Limit(10, 60), "203.0.113.1")])
        assert command(users["web"], "GET", used.counter.key) == b"1"

        shared = ValkeyReader(parse_cache_url(users["web"], protection="verify-full"))
        copies = ProviderCopies(lambda: shared, lambda: Sealer([new_sealing_key()]))
        keys = key_set_copies(copies, policy_of())(policy_of().issuers[0])
        keys.write({"keys": []}, time.time(), seconds=5)
        assert b"tenantgate:keys:" in b" ".join(command(redis_url, "KEYS", "*"))

        record = LoggingStore()
        publisher, list_reader = Publisher(Recorded(record), web), RevocationReader(reader, Holder())
        assert await publisher.publish() == 5
        assert list_reader.current().epoch == 5
        record.add(b"n" * 16)
        assert await publisher.publish() == 6
        assert RevocationReader(reader, Holder()).current().has(b"n" * 16)
    finally:
        reader.close()
        await web.dispose()


async def test_the_authorizer_can_write_no_entry_and_no_list(users: dict[str, str]) -> None:
    reader = ValkeyReader(parse_cache_url(users["authorizer"], protection="verify-full"))
    for key in (
        keys_of(SESSION_SECRETS.issue(TENANT).text).entry,
        HEAD_KEY,
        BODY_KEY,
        ADDITIONS_KEY,
        "tenantgate:limit:{0}:x",
        "tenantgate:keys:0",
    ):
        with pytest.raises(CacheUnavailable):
            reader.set(key, b"1", seconds=60)
    with pytest.raises(CacheUnavailable):
        reader.get_many("other")
    reader.close()


async def test_a_writer_can_act_as_any_user_of_the_authorizer_as_the_page_says(redis_url: str) -> None:
    secret = SESSION_SECRETS.issue(TENANT)
    forged = entry(user_id="any-user", auth_time=int(time.time()), **lives())
    command(redis_url, "SET", keys_of(secret.text).entry, forged.to_json())
    reader = ValkeyReader(parse_cache_url(redis_url, protection="verify-full"))
    assert CachedSessions(reader).find(secret.text).entry.user_id == "any-user"
    command(redis_url, "SET", keys_of(secret.text).entry, TOMBSTONE)
    with pytest.raises(SessionEnded):
        CachedSessions(reader).find(secret.text)
    reader.close()


def lives() -> dict[str, int]:
    now = int(time.time())
    return {"last_used_at": now, "fresh_until": now + 300, "expires_at": now + 3600}
