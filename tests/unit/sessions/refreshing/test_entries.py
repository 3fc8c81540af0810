"""A refresh writes entries that live from its reading of PostgreSQL, regardless of the time that the provider takes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tenantgate.cache.interface import ScriptCall
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy
from tests.fixtures.login.refreshes import Refreshes

pytestmark = pytest.mark.anyio

POLICY = SessionPolicy()
PROVIDER_SECONDS = 20


class Entries:
    """A cache that keeps the time at which each written entry ends."""

    def __init__(self) -> None:
        self.fresh_until: list[int] = []

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None for _ in keys]

    async def set(self, key: str, value: bytes, *, seconds: int) -> None:
        raise AssertionError("no session ends or is marked here")

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[bytes | str | int]) -> object:
        raise AssertionError("no tombstone is removed here")

    async def run_script_for_each(self, script: str, calls: Sequence[ScriptCall]) -> None:
        for call in calls:
            assert isinstance(call.args[0], bytes)
            self.fresh_until.append(json.loads(call.args[0])["fresh_until"])


@pytest.fixture
def entries() -> Entries:
    return Entries()


@pytest.fixture
def refreshes(entries: Entries) -> Refreshes:
    return Refreshes(cache=SessionCache(entries, POLICY))


async def test_a_provider_that_fails_late_prolongs_no_entry(refreshes: Refreshes, entries: Entries) -> None:
    started = await refreshes.start()
    entries.fresh_until.clear()
    read_at = int(refreshes.clock())
    refreshes.provider.error = ProviderUnreachable("down")
    refreshes.provider.before = lambda: refreshes.clock.pass_by(PROVIDER_SECONDS)

    await refreshes.service().refresh(started.secret)

    assert entries.fresh_until == [read_at + POLICY.cache_seconds]


async def test_a_session_without_a_refresh_token_gets_its_entry_back(refreshes: Refreshes, entries: Entries) -> None:
    started = await refreshes.start(refresh_token=None)
    entries.fresh_until.clear()
    refreshes.clock.pass_by(400)

    await refreshes.service().refresh(started.secret)

    assert entries.fresh_until == [int(refreshes.clock()) + POLICY.cache_seconds]


async def test_a_replay_prolongs_no_entry_beyond_its_reading(refreshes: Refreshes, entries: Entries) -> None:
    started = await refreshes.start()
    await refreshes.service().refresh(started.secret)
    entries.fresh_until.clear()
    read_at, store = int(refreshes.clock()), refreshes.store
    assert store is not None
    claim = store.claim

    async def slow_claim(*arguments: object, **options: object) -> object:
        claimed = await claim(*arguments, **options)  # type: ignore[arg-type]
        refreshes.clock.pass_by(5)
        return claimed

    store.claim = slow_claim  # type: ignore[method-assign, assignment]
    await refreshes.service().refresh(started.secret)

    # Of the current secret, and of the one before it.
    assert entries.fresh_until == [read_at + POLICY.cache_seconds] * 2
