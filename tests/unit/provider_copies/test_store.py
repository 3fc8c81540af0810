"""Copies that are read and written in time, or not at all. The script is tested with a real Valkey."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

import pytest

from tenantgate.cache.pause import Pause
from tenantgate.cache_counts import KEY_SETS
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.provider_copies import store
from tenantgate.provider_copies.entry import LONGEST_ENTRY, Place, written
from tenantgate.provider_copies.store import DocumentCopies, ProviderCopies
from tenantgate.secrets.errors import SecretsUnavailable
from tests.fixtures.provider_copies.memory import SEALER, MemoryValues, memory_copies
from tests.fixtures.tokens.issuer import NOW, ManualClock

PLACE = Place(KEY_SETS, "https://idp.example", "https://idp.example/keys")
KEY = "tenantgate:keys:0123"
DOCUMENT = {"keys": [{"kid": "SECRET-LOOKING"}]}
DAY = 86_400


@pytest.fixture
def values() -> MemoryValues:
    return MemoryValues()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool | None]]:
    counts: list[tuple[str, bool | None]] = []
    monkeypatch.setattr(store, "count", lambda use, found: counts.append((use, found)))
    return counts


def copies_in(values: MemoryValues, *, clock: Callable[[], float] = lambda: NOW) -> DocumentCopies:
    return memory_copies(values, clock=clock).of(PLACE, KEY, longest_age=DAY)


def test_a_process_reads_what_another_one_wrote(values: MemoryValues, counted: list[tuple[str, bool | None]]) -> None:
    assert copies_in(values).read() is None
    copies_in(values).write(DOCUMENT, NOW - 60, seconds=5)
    copy = copies_in(values).read()
    assert copy is not None
    assert (copy.document, copy.fetched_at) == (DOCUMENT, NOW - 60)
    assert counted == [(KEY_SETS, False), (KEY_SETS, True)]
    # No connection outlives the access.
    assert values.closed == len(values.calls) == 3


def test_a_copy_is_kept_until_its_longest_age(values: MemoryValues) -> None:
    copies_in(values).write(DOCUMENT, NOW - 60, seconds=5)
    ((_, fetched, latest, lifetime),) = values.scripts
    assert fetched == b"%d" % ((NOW - 60) * 1000)
    assert latest == b"%d" % ((NOW + 1) * 1000)
    assert lifetime == b"%d" % (DAY - 60)
    copies_in(values).write(DOCUMENT, NOW - DAY, seconds=5)
    assert len(values.scripts) == 1


@pytest.mark.parametrize("forged", [b"", b"x" * 100, b"%013d" % (NOW * 1000) + bytes(32) + b"{}"], ids=range(3))
def test_a_refused_entry_is_reported_once_without_its_content(
    values: MemoryValues, caplog: pytest.LogCaptureFixture, forged: bytes
) -> None:
    values.entries[KEY] = forged
    copies = copies_in(values)
    for _ in range(3):
        assert copies.read() is None
    (record,) = caplog.records
    assert "refused" in record.getMessage()
    assert record.__dict__["context"]["issuer"] == PLACE.issuer
    copies.write(DOCUMENT, NOW, seconds=5)
    assert copies.read() is not None
    values.entries[KEY] = forged
    assert copies.read() is None
    assert len(caplog.records) == 2


def test_an_entry_by_another_deployment_is_refused(values: MemoryValues) -> None:
    entry = written(PLACE, DOCUMENT, NOW, Sealer([new_sealing_key()]))
    assert entry is not None
    values.entries[KEY] = entry
    assert copies_in(values).read() is None


def test_an_oversized_entry_is_ignored_and_can_be_replaced(
    values: MemoryValues, caplog: pytest.LogCaptureFixture, counted: list[tuple[str, bool | None]]
) -> None:
    values.entries[KEY] = b"9" * (LONGEST_ENTRY + 1)
    copies = copies_in(values)
    assert copies.read() is None
    assert copies.read() is None
    assert counted == [(KEY_SETS, None)] * 2
    assert len(caplog.records) == 1
    copies.write(DOCUMENT, NOW, seconds=5)
    assert copies.read() is not None


def test_an_unusable_document_is_neither_written_nor_returned(values: MemoryValues) -> None:
    def is_usable(document: Mapping[str, object]) -> bool:
        return "keys" in document

    everything = memory_copies(values, clock=lambda: NOW).of(PLACE, KEY, longest_age=DAY)
    usable = memory_copies(values, clock=lambda: NOW).of(PLACE, KEY, longest_age=DAY, is_usable=is_usable)
    usable.write({"other": 1}, NOW, seconds=5)
    assert values.entries == {}
    everything.write({"other": 1}, NOW, seconds=5)
    assert everything.read() is not None
    assert usable.read() is None


def test_a_frozen_server_delays_one_access_and_is_then_left_out(
    values: MemoryValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "READ_SECONDS", 0.05)
    released = threading.Event()
    values.before = lambda: wait_for(released.is_set)
    clock = ManualClock()
    shared = ProviderCopies(
        lambda: values, lambda: SEALER, clock=lambda: NOW, pause=Pause(store.PAUSE_SECONDS, clock=clock)
    )
    copies = shared.of(PLACE, KEY, longest_age=DAY)
    began = time.monotonic()
    assert copies.read() is None
    assert time.monotonic() - began >= 0.05
    copies.write(DOCUMENT, NOW, seconds=5)
    assert copies.read() is None
    assert values.calls == ["get"]
    clock.pass_by(store.PAUSE_SECONDS)
    # The first access still runs: this one doesn't begin another.
    assert copies.read() is None
    assert values.calls == ["get"]
    released.set()
    wait_for(lambda: values.closed == 1)
    wait_for(lambda: copies.read() is None and values.calls == ["get", "get"])


def test_a_server_that_refuses_quickly_is_tried_again_and_reported_once(
    values: MemoryValues, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise CacheUnavailable("the server can't be reached", failure="ConnectionRefusedError")

    values.before = refuse
    copies = copies_in(values)
    for _ in range(3):
        assert copies.read() is None
    assert values.calls == ["get"] * 3
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.__dict__["context"]["failure"] == "ConnectionRefusedError"
    values.before = lambda: None
    assert copies.read() is None
    values.before = refuse
    assert copies.read() is None
    assert len(caplog.records) == 2


def test_a_slow_failure_pauses(values: MemoryValues) -> None:
    def refuse() -> None:
        time.sleep(0.15)
        raise CacheUnavailable("the server responded too slowly")

    values.before = refuse
    copies = copies_in(values)
    assert copies.read() is None
    assert copies.read() is None
    assert values.calls == ["get"]


def test_without_sealing_keys_nothing_is_shared(values: MemoryValues) -> None:
    def no_keys() -> Sealer:
        raise SecretsUnavailable("COOKIE_SEALING_KEYS has no value")

    copies = ProviderCopies(lambda: values, no_keys, clock=lambda: NOW).of(PLACE, KEY, longest_age=DAY)
    copies.write(DOCUMENT, NOW, seconds=5)
    assert copies.read() is None
    assert values.calls == []


def test_no_time_is_left_for_a_write(values: MemoryValues) -> None:
    copies_in(values).write(DOCUMENT, NOW, seconds=0)
    assert values.calls == []


def test_a_process_without_threads_asks_the_provider(values: MemoryValues, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    copies = copies_in(values)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        assert copies.read() is None
    copies.write(DOCUMENT, NOW, seconds=5)
    assert copies.read() is not None


def test_accesses_from_many_threads_run_one_at_a_time(values: MemoryValues) -> None:
    running: list[int] = []
    most: list[int] = []

    def note() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.002)
        running.pop()

    values.before = note
    copies = copies_in(values)
    copies.write(DOCUMENT, NOW, seconds=5)
    threads = [threading.Thread(target=copies.read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) == 21


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)
