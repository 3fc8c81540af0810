"""Provider metadata that doesn't arrive: waiting times, number of requests, and the metadata in use meanwhile."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.discovery import ProviderDirectory
from tenantgate.tokens.flights import FetchNeeded
from tests.fixtures.servers.silent import SilentServer
from tests.fixtures.tokens.issuer import ManualClock

A, B = "https://a.example.test", "https://b.example.test"


class Provider:
    """Fetches the metadata of any issuer; of those in `silent`, once `open` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False
        self.silent: set[str] = set()
        self.open = threading.Event()
        self.changes: dict[str, object] = {}

    def fetch(self, url: str, *, timeout: float) -> dict[str, object]:
        issuer = url.removesuffix("/.well-known/openid-configuration")
        self.asked.append(issuer)
        if issuer in self.silent and not self.open.wait(timeout):
            raise ProviderTimeout("silent")
        if self.down:
            raise ProviderUnreachable("down")
        return {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"} | self.changes


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def directory(provider: Provider, clock: ManualClock) -> ProviderDirectory:
    return ProviderDirectory(fetcher=provider.fetch, clock=clock)


def _settled(directory: ProviderDirectory) -> None:
    for thread in threading.enumerate():
        if thread.name == "tenantgate-discovery":
            thread.join(10)


def test_a_failing_provider_is_called_at_growing_intervals(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    provider.down = True
    for _ in range(120):
        with pytest.raises(ProviderUnreachable, match="down"):
            directory.metadata(A)
        clock.pass_by(0.5)
    assert len(provider.asked) == 1 + len([1, 2, 4, 8, 15, 15]), "in a minute"
    provider.down = False
    clock.pass_by(15)
    assert directory.metadata(A)["issuer"] == A


def test_a_silent_provider_is_called_once_for_all_and_no_caller_waits_too_long() -> None:
    with SilentServer() as silent, ThreadPoolExecutor(20) as pool:
        directory = ProviderDirectory()
        started = time.monotonic()

        def wait(_: int) -> type[Exception]:
            try:
                directory.metadata(silent.url, timeout=0.3)
            except ProviderUnreachable as error:
                return type(error)
            raise AssertionError("a silent provider said something")

        assert set(pool.map(wait, range(20))) == {ProviderTimeout}
        assert time.monotonic() - started < 2
        assert silent.connections == 1


def test_a_silent_provider_holds_up_no_other_one(directory: ProviderDirectory, provider: Provider) -> None:
    provider.silent = {A}
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(directory.metadata, A, timeout=10) for _ in range(10)]
        assert directory.metadata(B)["issuer"] == B
        assert not any(each.done() for each in waiting)
        provider.open.set()
        assert {each.result(10)["issuer"] for each in waiting} == {A}
    assert provider.asked.count(A) == 1


def test_metadata_past_its_hour_serves_while_it_is_fetched_again(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    first = directory.metadata(A)
    clock.pass_by(3600)
    provider.silent, provider.changes = {A}, {"jwks_uri": f"{A}/moved"}
    assert [directory.metadata(A, fetch=False) for _ in range(10)] == [first] * 10
    provider.open.set()
    _settled(directory)
    assert directory.metadata(A, fetch=False)["jwks_uri"] == f"{A}/moved"
    assert len(provider.asked) == 2


def test_without_leave_to_fetch_a_miss_says_so_until_a_failure_is_known(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    with pytest.raises(FetchNeeded) as needed:
        directory.metadata(A, fetch=False)
    assert provider.asked == []
    provider.down = True
    joined = needed.value.join()
    assert joined is not None
    joined[0].wait(10)
    with pytest.raises(ProviderUnreachable, match="down"):
        directory.metadata(A, fetch=False)
    assert needed.value.join() is None, "not before the pause has passed"
    clock.pass_by(1)
    with pytest.raises(FetchNeeded):
        directory.metadata(A, fetch=False)


def test_a_fetch_past_its_deadline_is_a_failure_except_in_a_frozen_process(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    seconds = 3.0

    def late(url: str, *, timeout: float) -> dict[str, object]:
        found = provider.fetch(url, timeout=timeout)
        clock.pass_by(seconds)
        return found

    directory._fetch = late
    for _ in range(10):
        with pytest.raises(ProviderTimeout):
            directory.metadata(A)
    assert len(provider.asked) == 1
    clock.pass_by(1)
    seconds = 3600
    with pytest.raises(ProviderTimeout):
        directory.metadata(A)
    seconds = 0
    assert directory.metadata(A)["issuer"] == A
    assert len(provider.asked) == 3


def test_a_doubt_does_not_undo_what_was_fetched_meanwhile(
    directory: ProviderDirectory, provider: Provider, clock: ManualClock
) -> None:
    directory.metadata(A)
    directory.doubt(A)
    provider.changes = {"jwks_uri": f"{A}/moved"}
    assert directory.metadata(A)["jwks_uri"] == f"{A}/moved"
    directory.doubt(B)
    assert provider.asked == [A, A]
