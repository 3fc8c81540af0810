"""The provider's names for sessions on PostgreSQL keep the contract, and a session's names end with it."""

from collections.abc import Sequence

import pytest

from tenantgate.database.unit import Database
from tenantgate.sessions.backchannel.repository import NameRepository
from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.repository import SessionRepository
from tests.fixtures.databases.name_stores import NameStoreContract, digest
from tests.fixtures.databases.session_stores import ENDINGS, stored_session


class Names(NameRepository):
    """Both repositories that share the tables."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sessions = SessionRepository(database, ENDINGS)

    async def add(self, session: StoredSession, *, lookups: Sequence[bytes] = ()) -> None:
        await self.sessions.add(session, lookups=lookups)

    async def was_logged_out(self, lookups: Sequence[bytes], *, since: float) -> bool:
        return await self.sessions.was_logged_out(lookups, since=since)


@pytest.fixture
def names(database: Database) -> Names:
    return Names(database)


class TestNameRepository(NameStoreContract):
    @pytest.fixture
    def names(self, database: Database) -> Names:
        return Names(database)


@pytest.mark.anyio
async def test_a_removed_session_is_not_found(names: Names) -> None:
    session, name = stored_session(), digest()
    await names.add(session, lookups=[name])
    await names.sessions.remove([session.id], tenant_id=session.tenant_id)
    assert not await names.find_named([[name]])
