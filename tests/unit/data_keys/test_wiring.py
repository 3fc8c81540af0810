"""The data keys of a process, by its settings."""

from __future__ import annotations

import asyncio

from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.data_keys.service import DataKeys
from tenantgate.data_keys.wiring import data_keys
from tenantgate.database.wiring import dispose_database
from tests.fixtures.data_keys.memory import KEY
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.process.settings import process_settings

OWNER = KeyOwner("org-1", "session-tokens")


def test_each_event_loop_has_its_own_keys_and_loses_them_with_its_database(database_urls: DatabaseUrls) -> None:
    async def keys() -> DataKeys:
        first = data_keys()
        key = await first.current(OWNER)
        assert data_keys() is first
        assert first.held(OWNER) is key
        await dispose_database()
        again = data_keys()
        assert again is not first
        assert again.held(OWNER) is None
        assert (await again.current(OWNER)).id == key.id
        await dispose_database()
        return first

    with process_settings(DATABASE_URL=database_urls.app_url, KEY_ENCRYPTION_KEYS=KEY):
        assert asyncio.run(keys()) is not asyncio.run(keys())
