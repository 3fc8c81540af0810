"""The store that the service's tests use keeps the contract of the real one."""

import pytest

from tests.fixtures.databases.session_stores import MemorySessionStore, SessionStoreContract


class TestMemorySessionStore(SessionStoreContract):
    @pytest.fixture
    def store(self) -> MemorySessionStore:
        return MemorySessionStore()
