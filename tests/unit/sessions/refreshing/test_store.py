"""The store in memory, which other tests use, keeps the contract of the real one."""

import pytest

from tests.fixtures.databases.refresh_stores import MemoryRefreshStore, RefreshStoreContract
from tests.fixtures.databases.session_stores import MemorySessionStore


class TestMemoryRefreshStore(RefreshStoreContract):
    @pytest.fixture
    def sessions(self) -> MemorySessionStore:
        return MemorySessionStore()

    @pytest.fixture
    def store(self, sessions: MemorySessionStore) -> MemoryRefreshStore:
        return MemoryRefreshStore(sessions)
