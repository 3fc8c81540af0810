"""The provider's application on an embedded PostgreSQL, one server for all of these tests."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tenantgate.database.migrator import upgrade
from tenantgate_cli.servers.postgres import EmbeddedPostgres, PostgresAddresses
from tests.support.provider import sealing_key
from tests.support.provider_app import BASE_URL, provider_client, provider_variables


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddresses]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("provider"), settings={"fsync": "off"}) as server:
        addresses = server.start()
        upgrade(addresses.owner_url)
        yield addresses


@pytest.fixture(scope="session")
def variables(postgres: PostgresAddresses) -> dict[str, str]:
    return provider_variables(base_url=BASE_URL, database_url=postgres.app_url, sealing_key=sealing_key())


@pytest.fixture
async def client(variables: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that isn't signed in, and the relying party's back channel."""
    async with provider_client(variables) as client:
        yield client
