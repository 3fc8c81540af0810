"""The store of the service's tests keeps the same contracts as the real ones."""

import pytest

from tests.fixtures.databases.name_stores import NameStoreContract
from tests.fixtures.databases.session_stores import MemorySessionStore, SessionStoreContract


class TestMemorySessionStore(SessionStoreContract):
    @pytest.fixture
    def store(self) -> MemorySessionStore:
        return MemorySessionStore()


class TestNames(NameStoreContract):
    @pytest.fixture
    def names(self) -> MemorySessionStore:
        return MemorySessionStore()
