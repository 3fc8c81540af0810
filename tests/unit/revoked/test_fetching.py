"""The steps of a fetch: a reader gets no more of the list than it needs, and never a part without the rest."""

from __future__ import annotations

import pytest

from tenantgate.revoked.additions import Additions
from tenantgate.revoked.fetching import fetch_into
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.names import NAME_BYTES
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY, Snapshot
from tests.fixtures.revoked.snapshots import snapshot
from tests.fixtures.tokens.issuer import ManualClock

A, B = b"a" * NAME_BYTES, b"b" * NAME_BYTES
HEAD, LATER, ALL = (HEAD_KEY,), (HEAD_KEY, ADDITIONS_KEY), (HEAD_KEY, BODY_KEY, ADDITIONS_KEY)


class Reader:
    """A holder, and Valkey's values."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.holder = Holder(clock=self.clock, monotonic=self.clock)
        self.values: dict[str, bytes] = {}

    def publish(self, current: Snapshot) -> None:
        self.values[HEAD_KEY] = current.head(int(self.clock.now * 1000)).to_json()
        if current.additions is None:
            self.values[BODY_KEY] = current.to_json()
        else:
            self.values[ADDITIONS_KEY] = current.additions.to_json()

    def fetch(self) -> tuple[list[tuple[str, ...]], bool, bool]:
        """Return the reads, and the two results of the fetch."""
        steps = fetch_into(self.holder)
        reads = [next(steps)]
        while True:
            try:
                reads.append(steps.send([self.values.get(key) for key in reads[-1]]))
            except StopIteration as end:
                found, taken = end.value
                return reads, found, taken


@pytest.fixture
def reader() -> Reader:
    return Reader()


def with_additions(epoch: int, *names: bytes, base: Snapshot) -> Snapshot:
    made = base.with_additions(Additions(base.base, epoch, frozenset(names), {}))
    assert made is not None
    return made


def test_additions_are_read_without_the_body(reader: Reader) -> None:
    base = snapshot(7, exact=[A])
    reader.publish(base)
    assert reader.fetch() == ([ALL], True, True)
    later = with_additions(8, B, base=base)
    reader.publish(later)
    assert reader.fetch() == ([HEAD, LATER], True, True)
    assert reader.holder.current() == later
    assert reader.fetch() == ([HEAD], True, True)


def test_a_new_reader_gets_the_body_and_the_additions(reader: Reader) -> None:
    base = snapshot(7, exact=[A])
    reader.publish(base)
    reader.publish(with_additions(9, B, base=base))
    assert reader.fetch() == ([ALL], True, True)
    assert [reader.holder.current().has(name) for name in (A, B)] == [True, True]


def test_a_body_that_was_replaced_is_read_again(reader: Reader) -> None:
    base = snapshot(7)
    reader.publish(base)
    reader.fetch()
    reader.publish(with_additions(8, A, base=base))
    reader.fetch()
    # The additions of the body before are still there.
    whole = snapshot(9, exact=[A, B])
    reader.publish(whole)
    assert reader.fetch() == ([HEAD, ALL], True, True)
    assert reader.holder.current() == whole


@pytest.mark.parametrize("lost", [None, b"ended", Additions(6, 8, frozenset(), {}).to_json()])
def test_a_head_without_its_additions_is_not_trusted(reader: Reader, lost: bytes | None) -> None:
    base = snapshot(7)
    reader.publish(base)
    reader.fetch()
    reader.publish(with_additions(8, A, base=base))
    if lost is None:
        del reader.values[ADDITIONS_KEY]
    else:
        reader.values[ADDITIONS_KEY] = lost
    assert reader.fetch() == ([HEAD, LATER, ALL], True, False)
    assert reader.holder.current() == base


def test_an_older_list_of_the_same_body_is_not_taken(reader: Reader) -> None:
    base = snapshot(7)
    reader.publish(base)
    reader.publish(with_additions(9, A, base=base))
    reader.fetch()
    reader.publish(with_additions(8, base=base))
    assert reader.fetch() == ([HEAD, LATER, ALL], True, False)
    assert reader.holder.current().has(A)


def test_nothing_is_found_in_an_empty_valkey(reader: Reader) -> None:
    assert reader.fetch() == ([ALL], False, False)
