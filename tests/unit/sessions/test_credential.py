"""The session cookie as a credential: from Valkey first, or only from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tenantgate.cache.interface import ScriptCall
from tenantgate.errors.access import SessionEnded
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.credential import recorded_session, session_credential
from tenantgate.sessions.models import SessionPolicy
from tests.fixtures.web.sessions import WebSessions, web_sessions

__all__ = ["web_sessions"]

pytestmark = pytest.mark.anyio


class Values:
    """A cache that keeps what it is given, without the conditions of the script."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.held.get(key) for key in keys]

    async def set(self, key: str, value: bytes, *, seconds: int) -> None:
        self.held[key] = value

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[bytes | str | int]) -> object:
        raise AssertionError("no tombstone is removed here")

    async def run_script_for_each(self, script: str, calls: Sequence[ScriptCall]) -> None:
        for call in calls:
            assert isinstance(call.args[0], bytes)
            self.held[call.keys[0]] = call.args[0]


async def test_both_return_what_the_session_grants(web_sessions: WebSessions) -> None:
    started = await web_sessions.start()
    for find in (session_credential, recorded_session):
        entry = await find(started.secret)
        assert entry.principal().session_id == str(started.session.id)
        assert entry.principal().auth_method == "session"
        assert entry.csrf_token == started.session.csrf_token


async def test_only_the_record_knows_at_once_that_a_session_has_ended(web_sessions: WebSessions) -> None:
    values = Values()
    web_sessions.cache = SessionCache(values, SessionPolicy())
    started = await web_sessions.start()
    # As when Valkey was unreachable at the end of the session.
    web_sessions.store.rows.clear()
    assert (await session_credential(started.secret)).session_id == str(started.session.id)
    with pytest.raises(SessionEnded):
        await recorded_session(started.secret)


async def test_the_record_puts_the_entry_back_into_valkey(web_sessions: WebSessions) -> None:
    values = Values()
    web_sessions.cache = SessionCache(values, SessionPolicy())
    started = await web_sessions.start()
    values.held.clear()
    await recorded_session(started.secret)
    assert any(key.startswith("tenantgate:session:") for key in values.held)
