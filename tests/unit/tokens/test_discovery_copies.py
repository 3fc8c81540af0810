"""Metadata that another process fetched: it counts as fetched at that time; older metadata only during failures."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.copies import Copy
from tenantgate.tokens.discovery import ProviderDirectory
from tenantgate.tokens.waiting import awaited
from tests.fixtures.provider_copies.memory import FakeCopies
from tests.fixtures.tokens.issuer import NOW, ManualClock

ISSUER = "https://idp.example"
COPIED = {"issuer": ISSUER, "name": "copied"}


class Provider:
    """Responds with metadata, unless it is away."""

    def __init__(self) -> None:
        self.is_away = False
        self.fetches = 0

    def __call__(self, url: str, *, timeout: float) -> Mapping[str, object]:
        del url, timeout
        self.fetches += 1
        if self.is_away:
            raise ProviderUnreachable("away")
        return {"issuer": ISSUER, "name": "fetched"}


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def directory(provider: Provider, clock: ManualClock) -> ProviderDirectory:
    return ProviderDirectory(fetcher=provider, clock=clock)


def test_a_cold_process_uses_a_copy_for_the_rest_of_its_hour(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    provider.is_away = True
    copies = FakeCopies(Copy(COPIED, NOW - 3500))
    assert directory.metadata(ISSUER, copies=copies)["name"] == "copied"
    clock.pass_by(99)
    assert directory.metadata(ISSUER, copies=copies)["name"] == "copied"
    assert (provider.fetches, copies.reads) == (0, 1)
    provider.is_away = False
    clock.pass_by(1)
    assert directory.metadata(ISSUER, copies=copies)["name"] == "fetched"


def test_what_was_fetched_is_written_with_the_time_before_the_fetch(directory: ProviderDirectory) -> None:
    copies = FakeCopies()
    directory.metadata(ISSUER, copies=copies)
    assert copies.written == [Copy({"issuer": ISSUER, "name": "fetched"}, NOW)]


@pytest.mark.parametrize(("age", "is_used"), [(3600, True), (86_399, True), (86_400, False)])
def test_an_older_copy_is_used_only_while_the_provider_is_away(
    directory: ProviderDirectory, provider: Provider, age: float, is_used: bool
) -> None:
    copies = FakeCopies(Copy(COPIED, NOW - age))
    provider.is_away = True
    if is_used:
        assert directory.metadata(ISSUER, copies=copies)["name"] == "copied"
        # The pause after the failure applies.
        assert directory.metadata(ISSUER, copies=copies)["name"] == "copied"
    else:
        with pytest.raises(ProviderUnreachable):
            directory.metadata(ISSUER, copies=copies)
    assert provider.fetches == 1
    assert ProviderDirectory(fetcher=Provider(), clock=ManualClock()).metadata(ISSUER, copies=copies)["name"] == (
        "fetched"
    )


def test_a_copy_ends_a_day_after_its_own_fetch(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    copies = FakeCopies(Copy(COPIED, NOW))
    provider.is_away = True
    for hour in range(24):
        clock.now = NOW + hour * 3600
        assert directory.metadata(ISSUER, copies=copies)["name"] == "copied"
    clock.now = NOW + 86_400
    with pytest.raises(ProviderUnreachable):
        directory.metadata(ISSUER, copies=copies)


def test_a_copy_of_another_issuers_document_is_ignored(directory: ProviderDirectory) -> None:
    copies = FakeCopies(Copy({"issuer": "https://other.example", "name": "copied"}, NOW))
    assert directory.metadata(ISSUER, copies=copies)["name"] == "fetched"


def test_doubted_metadata_is_fetched_from_the_provider(directory: ProviderDirectory, provider: Provider) -> None:
    copies = FakeCopies(Copy(COPIED, NOW - 10))
    assert directory.metadata(ISSUER, copies=copies)["name"] == "copied"
    directory.doubt(ISSUER)
    assert directory.metadata(ISSUER, copies=copies)["name"] == "fetched"
    # A copy that is older than the metadata in memory replaces nothing.
    provider.is_away = True
    directory.doubt(ISSUER)
    assert directory.metadata(ISSUER, copies=copies)["name"] == "fetched"


@pytest.mark.anyio
async def test_a_caller_on_the_event_loop_waits_for_a_copy(directory: ProviderDirectory, provider: Provider) -> None:
    provider.is_away = True
    copies = FakeCopies(Copy(COPIED, NOW - 7200))
    found = await awaited(lambda: directory.metadata(ISSUER, fetch=False, copies=copies))
    assert found["name"] == "copied"
