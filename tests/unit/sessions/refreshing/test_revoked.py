"""A refresh of a session that is revoked, itself or by its user or tenant, ends it and asks no provider."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy, StoredSession
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.login.refreshes import Refreshes

pytestmark = pytest.mark.anyio


async def revoked(session: StoredSession) -> None:
    raise SessionEnded("the session began before a revocation")


@pytest.mark.parametrize("down", [False, True])
async def test_it_ends_and_nothing_is_redeemed(down: bool) -> None:
    cache = SessionCache(RecordingCache(), SessionPolicy())
    refreshes = Refreshes(cache=cache)
    started = await refreshes.start()
    refreshes = replace(refreshes, unrevoked=revoked, cache=SessionCache(RecordingCache(down=down), SessionPolicy()))
    with pytest.raises(SessionEnded):
        await refreshes.service().refresh(started.secret)
    assert refreshes.sessions.rows == {}
    assert refreshes.provider.redeemed == []


async def test_not_even_the_result_of_a_refresh_before_is_repeated() -> None:
    refreshes = Refreshes()
    started = await refreshes.start()
    (await refreshes.service().refresh(started.secret)).require()
    with pytest.raises(SessionEnded):
        await replace(refreshes, unrevoked=revoked).service().refresh(started.secret)


async def test_while_revocations_are_unknown_the_session_stays() -> None:
    async def unknown(session: StoredSession) -> None:
        raise RevocationUnknown("stale")

    refreshes = Refreshes()
    started = await refreshes.start()
    with pytest.raises(RevocationUnknown):
        await replace(refreshes, unrevoked=unknown).service().refresh(started.secret)
    assert refreshes.row.user_id == "user-1"
    assert refreshes.provider.redeemed == []
