"""The store of the service's tests keeps the same contract as the real one."""

import pytest

from tests.fixtures.databases.session_stores import MemorySessionStore, SessionStoreContract


class TestMemorySessionStore(SessionStoreContract):
    @pytest.fixture
    def store(self) -> MemorySessionStore:
        return MemorySessionStore()
