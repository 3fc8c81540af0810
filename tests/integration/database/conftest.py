"""What the database's tests share."""

from collections.abc import AsyncIterator

import pytest

from tenantgate.database.engine import Database
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The module's database as the application sees it."""
    made = Database(database_urls.app_url)
    yield made
    await made.dispose()
