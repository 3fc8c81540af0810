"""The store of leases and rotations on PostgreSQL keeps the contract, and look-ups follow a session's new id."""

from uuid import uuid4

import pytest

from tenantgate.database.unit import Database
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.repository import SessionRepository
from tests.fixtures.databases.refresh_stores import GRANTS, LATER, RefreshStoreContract, rotated
from tests.fixtures.databases.session_stores import ENDINGS, TENANT, stored_session


class TestRefreshRepository(RefreshStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> RefreshRepository:
        return RefreshRepository(database, ENDINGS)

    @pytest.fixture
    def sessions(self, database: Database) -> SessionRepository:
        return SessionRepository(database, ENDINGS)


@pytest.mark.anyio
async def test_look_ups_follow_the_new_id_and_no_others(database: Database) -> None:
    sessions, store = SessionRepository(database, ENDINGS), RefreshRepository(database, ENDINGS)
    session, other, holder = stored_session(), stored_session(), uuid4()
    await sessions.add(session, lookups=[session.secret_hash, bytes(32)])
    await sessions.add(other, lookups=[other.secret_hash])
    claim = await store.claim(
        session.secret_hash, tenant_id=TENANT, holder=holder, seconds=9, rotated_before=LATER, only_expired=False
    )
    assert claim is not None
    after = rotated(session, grants=GRANTS)
    assert await store.rotate(session, holder, to=after) == "stored"
    read = "SELECT lookup_hash FROM session_lookup WHERE session_id = $1 ORDER BY lookup_hash"
    async with database.untenanted() as unit:
        followed = [await unit.fetch_all(read, session_id) for session_id in (session.id, after.id, other.id)]
    assert [[row["lookup_hash"] for row in rows] for rows in followed] == [
        [],
        [bytes(32), session.secret_hash],
        [other.secret_hash],
    ]
