"""The provider's application on a real PostgreSQL."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
import pytest

from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.built_in import Deliveries, sealing_key
from tests.fixtures.providers.built_in_app import BASE_URL, SetTime, provider_client, provider_variables


@pytest.fixture
def set_time(monkeypatch: pytest.MonkeyPatch) -> SetTime:
    """Set the provider's clock, in seconds since the epoch."""

    def set_to(now: float) -> None:
        monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: now))

    return set_to


@pytest.fixture(autouse=True)
def deliveries(monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    """Keep the logout tokens that the provider sends."""
    sent = Deliveries()
    monkeypatch.setattr("tenantgate.openid_provider.wiring.deliver_over_http", sent)
    return sent


@pytest.fixture(scope="module")
def variables(database_urls: DatabaseUrls) -> dict[str, str]:
    return provider_variables(base_url=BASE_URL, database_url=database_urls.app_url, sealing_key=sealing_key())


@pytest.fixture
async def client(variables: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that isn't signed in, and the relying party's back channel."""
    async with provider_client(variables) as client:
        yield client
