"""Sessions in Valkey: which writing wins, and what happens without Valkey."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_entry import TOMBSTONE, live_entry, session_keys
from tenantgate.sessions.cache import SessionCache, entry_of
from tenantgate.sessions.models import SessionPolicy, StoredSession, TenantState
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.databases.session_stores import stored_session

pytestmark = pytest.mark.anyio

NOW = 1_800_000_100
POLICY = SessionPolicy()


def keys_of(session: StoredSession) -> Sequence[str]:
    return [session_keys(session.tenant_id, digest).entry for digest in session.secret_hashes]


async def test_an_entry_lives_from_the_reading_of_postgresql() -> None:
    cache, session = RecordingCache(), stored_session()
    await SessionCache(cache, POLICY).put(session, read_at=NOW + 0.7)
    entry = entry_of(session, POLICY, read_at=NOW + 0.7)
    assert entry.fresh_until == NOW + 300
    assert cache.calls == [("run_script", *keys_of(session), entry.to_json(), 1, NOW + 300, (NOW + 300) * 1000)]


async def test_in_the_grace_the_secret_before_has_an_entry_that_ends_with_it() -> None:
    cache = RecordingCache()
    session = stored_session(previous_hash=bytes(range(32)), rotated_at=NOW - 3.0, version=2)
    await SessionCache(cache, POLICY).put(session, read_at=NOW)
    (_, current, *_), (_, previous, raw, version, _, until) = cache.calls
    assert [current, previous] == keys_of(session)
    assert isinstance(raw, bytes)
    assert json.loads(raw)["good_until"] == NOW + 7
    # Longer than an entry that was read before the rotation could live.
    assert (version, until) == (2, (NOW + 360) * 1000)
    assert live_entry(raw, None, now=NOW + 6) is not None
    assert live_entry(raw, None, now=NOW + 7) is None


async def test_after_the_grace_only_the_current_secret_has_an_entry() -> None:
    cache = RecordingCache()
    session = stored_session(previous_hash=bytes(range(32)), rotated_at=NOW - 10.0, version=2)
    await SessionCache(cache, POLICY).put(session, read_at=NOW)
    assert [call[1] for call in cache.calls] == keys_of(session)[:1]


async def test_a_tenants_policy_only_shortens_the_limits() -> None:
    session = stored_session()
    shorter = replace(session, tenant=TenantState(idle_minutes=5, absolute_hours=1))
    longer = replace(session, tenant=TenantState(idle_minutes=600, absolute_hours=600))
    found = [entry_of(one, POLICY, read_at=NOW) for one in (session, shorter, longer)]
    assert [entry.idle_seconds for entry in found] == [1800, 300, 1800]
    limit = replace(session, expires_at=session.auth_time + 12 * 3600)
    ends = [replace(limit, tenant=one.tenant).ends_at(POLICY) - session.auth_time for one in (session, shorter, longer)]
    assert ends == [12 * 3600, 3600, 12 * 3600]


async def test_tombstones_outlive_every_entry() -> None:
    cache, session = RecordingCache(), stored_session(previous_hash=bytes(range(32)))
    await SessionCache(cache, POLICY).end([session])
    assert cache.calls == [("set", key, TOMBSTONE, 360) for key in keys_of(session)]


async def test_only_the_end_of_a_session_fails_with_valkey() -> None:
    session = stored_session()
    down = SessionCache(RecordingCache(down=True), POLICY)
    keys = session_keys(session.tenant_id, session.secret_hash)
    assert await down.read(keys) == (None, None)
    await down.put(session, read_at=NOW)
    await down.mark_used(keys, at=NOW, idle_seconds=1800)
    with pytest.raises(CacheUnavailable):
        await down.end([session])


async def test_without_a_cache_nothing_is_done() -> None:
    session = stored_session()
    none = SessionCache(None, POLICY)
    assert await none.read(session_keys(session.tenant_id, session.secret_hash)) == (None, None)
    await none.put(session, read_at=NOW)
    await none.mark_used(session_keys(session.tenant_id, session.secret_hash), at=NOW, idle_seconds=1800)
    await none.end([session])
