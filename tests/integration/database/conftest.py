"""Fixtures of the database's tests."""

from collections.abc import AsyncIterator

import pytest

from tenantgate.database.unit import Database
from tests.fixtures.databases.kinds import KINDS, Kind
from tests.fixtures.databases.postgres import DatabaseUrls


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """The container's kind of database, and Lambda's."""
    return KINDS[request.param]


@pytest.fixture
async def database(kind: Kind, database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The module's database as the application sees it."""
    made = kind(database_urls.app_url)
    yield made
    await made.dispose()
