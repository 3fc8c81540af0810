"""Browser sessions: a new cookie at each sign-in, found under its own tenant until it ends."""

import pytest

from tenantgate.openid_provider.models import User
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tests.fixtures.providers.built_in import Clock, MemoryBrowserSessions

pytestmark = pytest.mark.anyio

USER = User("6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11", "org-1")


@pytest.fixture
def store() -> MemoryBrowserSessions:
    return MemoryBrowserSessions()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(store: MemoryBrowserSessions, clock: Clock) -> BrowserSessions:
    return BrowserSessions(store, clock=clock)


async def test_a_started_session_is_found_until_it_expires(sessions: BrowserSessions, clock: Clock) -> None:
    started = await sessions.start(USER, replacing=None)
    assert await sessions.find_live(started.cookie) == started.session
    assert (started.session.user_id, started.session.tenant_id) == (USER.id, USER.tenant_id)
    clock.now = started.session.expires_at - 1.0
    assert await sessions.find_live(started.cookie) == started.session
    clock.now += 1
    assert await sessions.find_live(started.cookie) is None


async def test_an_ended_session_is_not_found(sessions: BrowserSessions) -> None:
    started = await sessions.start(USER, replacing=None)
    await sessions.end(started.cookie)
    assert await sessions.find_live(started.cookie) is None


async def test_a_sign_in_ends_the_session_it_replaces(sessions: BrowserSessions) -> None:
    """Session fixation: a cookie that an attacker planted must not become the user's."""
    planted = await sessions.start(USER, replacing=None)
    started = await sessions.start(USER, replacing=planted.cookie)
    assert started.cookie != planted.cookie
    assert started.session.sid != planted.session.sid
    assert await sessions.find_live(planted.cookie) is None
    assert await sessions.find_live(started.cookie) == started.session


async def test_the_cookie_is_not_stored_and_not_shown(sessions: BrowserSessions, store: MemoryBrowserSessions) -> None:
    started = await sessions.start(USER, replacing=None)
    random_part = started.cookie.rpartition(".")[2]
    assert random_part not in repr(store.rows)
    assert random_part not in repr(started)


@pytest.mark.parametrize("cookie", [None, "", "malformed", f"org-1.{'A' * 43}", "x" * 100_000])
async def test_an_invalid_cookie_finds_and_ends_nothing(
    sessions: BrowserSessions, store: MemoryBrowserSessions, cookie: str | None
) -> None:
    await sessions.start(USER, replacing=cookie)
    assert await sessions.find_live(cookie) is None
    await sessions.end(cookie)
    assert len(store.rows) == 1


async def test_a_cookie_with_another_tenant_in_front_ends_nothing(
    sessions: BrowserSessions, store: MemoryBrowserSessions
) -> None:
    started = await sessions.start(USER, replacing=None)
    forged = started.cookie.replace("org-1", "org-2")
    assert await sessions.find_live(forged) is None
    await sessions.end(forged)
    assert len(store.rows) == 1
