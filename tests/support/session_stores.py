"""A session store in memory, and the contract that it and the real one both keep."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import uuid4

import pytest

from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.service import SessionStore

TENANT, OTHER_TENANT = (
    "org-00000000-0000-4000-8000-00000000000a",
    "org-00000000-0000-4000-8000-00000000000b",
)


class MemorySessionStore:
    """Sessions in a dictionary, by tenant and secret."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, bytes], StoredSession] = {}

    async def add(self, session: StoredSession) -> None:
        self.rows[session.tenant_id, session.secret_hash] = session

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        return self.rows.get((tenant_id, secret_hash))

    async def remove(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        return self.rows.pop((tenant_id, secret_hash), None)


def stored_session(**changes: object) -> StoredSession:
    """A session at rest, unlike any other."""
    session_id = uuid4()
    session = StoredSession(
        id=session_id,
        tenant_id=TENANT,
        user_id="user-1",
        issuer="https://issuer.example",
        secret_hash=hashlib.sha256(session_id.bytes).digest(),
        sealed_tokens="sealed",
        created_at=1_800_000_000,
        expires_at=1_800_003_600,
    )
    return replace(session, **changes)  # type: ignore[arg-type]


@pytest.mark.anyio
class SessionStoreContract:
    """What a service may rely on. A subclass gives the fixture `store`."""

    async def test_finds_what_was_added(self, store: SessionStore) -> None:
        session = stored_session()
        await store.add(session)
        await store.add(stored_session())
        assert await store.find(session.secret_hash, tenant_id=TENANT) == session

    async def test_finds_nothing_under_another_secret(self, store: SessionStore) -> None:
        await store.add(stored_session())
        assert await store.find(bytes(32), tenant_id=TENANT) is None

    async def test_finds_and_removes_nothing_from_another_tenant(self, store: SessionStore) -> None:
        session = stored_session()
        await store.add(session)
        assert await store.find(session.secret_hash, tenant_id=OTHER_TENANT) is None
        assert await store.remove(session.secret_hash, tenant_id=OTHER_TENANT) is None
        assert await store.find(session.secret_hash, tenant_id=TENANT) == session

    async def test_keeps_the_sessions_of_two_tenants_with_one_secret_apart(self, store: SessionStore) -> None:
        mine, theirs = stored_session(), stored_session(tenant_id=OTHER_TENANT, user_id="user-2")
        theirs = replace(theirs, secret_hash=mine.secret_hash)
        await store.add(mine)
        await store.add(theirs)
        assert await store.remove(mine.secret_hash, tenant_id=TENANT) == mine
        assert await store.find(mine.secret_hash, tenant_id=OTHER_TENANT) == theirs

    async def test_gives_back_what_it_removes_once(self, store: SessionStore) -> None:
        session = stored_session()
        await store.add(session)
        assert await store.remove(session.secret_hash, tenant_id=TENANT) == session
        assert await store.remove(session.secret_hash, tenant_id=TENANT) is None
        assert await store.find(session.secret_hash, tenant_id=TENANT) is None

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("Zoë 🗝️ 日本", id="beyond-ascii"),
            pytest.param("'; DROP TABLE sessions; --", id="sql"),
            pytest.param("%s $1 :name \\", id="placeholders"),
            pytest.param("x" * 10_000, id="long"),
        ],
    )
    async def test_keeps_any_text_as_it_is(self, store: SessionStore, text: str) -> None:
        session = stored_session(user_id=text, sealed_tokens=text)
        await store.add(session)
        assert await store.find(session.secret_hash, tenant_id=TENANT) == session
