"""The session store on PostgreSQL keeps the contract, and the table its own rules."""

from datetime import UTC, datetime

import pytest

from tenantgate.database.unit import Database
from tenantgate.sessions.repository import SessionRepository
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS, SessionStoreContract, stored_session


@pytest.fixture
def store(database: Database) -> SessionRepository:
    return SessionRepository(database, ENDINGS)


class TestSessionRepository(SessionStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SessionRepository:
        return SessionRepository(database, ENDINGS)


@pytest.mark.anyio
async def test_the_database_keeps_the_times_of_a_row(database: Database, database_urls: DatabaseUrls) -> None:
    session = stored_session()
    await SessionRepository(database, ENDINGS).add(session)
    async with database.tenant(session.tenant_id) as unit:
        read = "SELECT created_at, updated_at FROM sessions WHERE id = $1"
        before = await unit.fetch_one(read, session.id)
        change = "UPDATE sessions SET created_at = 'epoch', updated_at = 'epoch', user_id = 'other' WHERE id = $1"
        await unit.execute(change, session.id)
        after = await unit.fetch_one(read, session.id)
    assert before is not None
    assert after is not None
    assert after["created_at"] == before["created_at"] == datetime.fromtimestamp(session.created_at, UTC)
    assert after["updated_at"] > before["updated_at"]


def test_a_row_gets_its_id_and_times_from_the_database(database_urls: DatabaseUrls) -> None:
    *_, (row,) = execute(
        database_urls.admin_url,
        "INSERT INTO sessions (tenant_id, user_id, issuer, secret_hash, sealed_tokens, expires_at)"
        " VALUES ('t', 'u', 'i', sha256('x'), '', now()) RETURNING id, created_at, updated_at",
    )
    assert row["id"].version == 4
    assert row["created_at"] == row["updated_at"]
