"""The snapshot from Valkey: usually only the head is read, and a failure costs nothing before the bound."""

from __future__ import annotations

import pytest

from tenantgate.cache_counts import REVOCATIONS
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.revoked import reader
from tenantgate.revoked.holder import BOUND_SECONDS, Holder
from tenantgate.revoked.reader import RevocationReader
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY, LONGEST_BODY
from tests.fixtures.revoked.snapshots import published, snapshot
from tests.fixtures.tokens.issuer import ManualClock


class Store:
    """Valkey's part. `read`: the keys of each command."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.values: dict[str, bytes] = {}
        self.read: list[tuple[str, ...]] = []
        self.down = False
        self.reader = RevocationReader(self, Holder(clock=self.clock, monotonic=self.clock))

    def get_many(self, *keys: str, longest: int, seconds: float | None = None) -> list[bytes | None]:
        self.read.append(keys)
        assert longest == (256 if keys == (HEAD_KEY,) else LONGEST_BODY)
        assert seconds == (None if keys == (HEAD_KEY,) else 1.0)
        if self.down:
            raise CacheUnavailable("the server can't be reached", server="valkey.test:6379")
        return [self.values.get(key) for key in keys]

    def publish(self, epoch: int = 7, *, age: float = 0.0) -> None:
        self.values |= published(snapshot(epoch), self.clock.now - age)


@pytest.fixture
def store() -> Store:
    return Store()


def problem_of(store: Store) -> str:
    with pytest.raises(RevocationUnknown) as unknown:
        store.reader.current()
    return str(unknown.value.private["problem"])


def test_the_first_read_gets_both_keys_and_later_ones_only_the_head(store: Store) -> None:
    store.publish()
    assert store.reader.current() == snapshot(7)
    assert store.reader.current() == snapshot(7)
    assert store.read == [(HEAD_KEY, BODY_KEY, ADDITIONS_KEY)]
    store.clock.pass_by(0.5)
    store.publish()
    assert store.reader.current() == snapshot(7)
    assert store.read[1:] == [(HEAD_KEY,)]
    store.clock.pass_by(0.5)
    store.publish(8)
    assert store.reader.current() == snapshot(8)
    assert store.read[2:] == [(HEAD_KEY,), (HEAD_KEY, BODY_KEY, ADDITIONS_KEY)]


def test_a_failure_counts_only_from_the_bound_on(store: Store) -> None:
    store.publish()
    store.reader.current()
    store.down = True
    for _ in range(31):
        store.clock.pass_by(0.125)
        assert store.reader.current() == snapshot(7)
    # One attempt in 0.2 s, first after half a second.
    assert 10 < len(store.read) < 22
    store.clock.pass_by(0.125)
    assert problem_of(store) == "the server can't be reached"
    attempts = len(store.read)
    assert problem_of(store) == "the server can't be reached"
    assert len(store.read) == attempts
    store.down = False
    store.clock.pass_by(0.2)
    store.publish()
    assert store.reader.current() == snapshot(7)


def test_flushed_keys_are_a_failure(store: Store) -> None:
    store.publish()
    store.reader.current()
    store.values.clear()
    store.clock.pass_by(1)
    assert store.reader.current() == snapshot(7)
    store.clock.pass_by(BOUND_SECONDS)
    assert problem_of(store) == "the snapshot is missing or malformed"


def test_an_old_dump_is_stale_even_if_its_epoch_is_the_held_one(store: Store) -> None:
    store.publish(7)
    dump = dict(store.values)
    store.reader.current()
    store.clock.pass_by(3)
    store.publish(8)
    assert store.reader.current() == snapshot(8)
    store.values = dump
    store.clock.pass_by(1)
    assert store.reader.current() == snapshot(8)
    store.clock.pass_by(BOUND_SECONDS)
    assert problem_of(store) == "an older epoch than before"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        (HEAD_KEY, b"ended", "the snapshot is missing or malformed"),
        (HEAD_KEY, published(snapshot(8))[HEAD_KEY], "head and snapshot don't fit"),
        (BODY_KEY, b"{}", "the snapshot is missing or malformed"),
        (BODY_KEY, published(snapshot(8))[BODY_KEY], "head and snapshot don't fit"),
    ],
    ids=["tombstone", "another-head", "empty-object", "another-body"],
)
def test_what_does_not_belong_together_is_not_trusted(store: Store, key: str, value: bytes, problem: str) -> None:
    store.publish()
    store.values[key] = value
    assert problem_of(store) == problem


def test_a_head_without_its_body_prolongs_nothing(store: Store) -> None:
    store.publish()
    store.reader.current()
    store.clock.pass_by(3)
    store.values[HEAD_KEY] = published(snapshot(8), store.clock.now)[HEAD_KEY]
    assert store.reader.current() == snapshot(7)
    store.clock.pass_by(1)
    assert problem_of(store) == "head and snapshot don't fit"


def test_the_keys_and_the_longest_list_are_those_of_every_version() -> None:
    assert (HEAD_KEY, BODY_KEY) == ("{tenantgate:revocations}:head", "{tenantgate:revocations}:body")
    assert LONGEST_BODY == 16 * 2**20


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        pytest.param({HEAD_KEY, BODY_KEY}, True, id="both"),
        pytest.param({HEAD_KEY}, False, id="no-body"),
        pytest.param({BODY_KEY}, False, id="no-head"),
        pytest.param(set(), False, id="neither"),
    ],
)
def test_each_reading_is_counted(keys: set[str], *, found: bool, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[str, bool | None]] = []
    monkeypatch.setattr(reader, "count", lambda use, found: counted.append((use, found)))
    store.publish()
    store.values = {key: value for key, value in store.values.items() if key in keys}
    if found:
        store.reader.current()
        store.clock.pass_by(0.5)
        store.publish()
        store.reader.current()
        # The second one by the head.
        assert counted == [(REVOCATIONS, True)] * 2
        return
    with pytest.raises(RevocationUnknown):
        store.reader.current()
    # A list that doesn't count is not fetched again at once.
    with pytest.raises(RevocationUnknown):
        store.reader.current()
    assert len(store.read) == 1
    store.down = True
    store.clock.pass_by(0.2)
    with pytest.raises(RevocationUnknown):
        store.reader.current()
    assert counted == [(REVOCATIONS, False), (REVOCATIONS, None)]
