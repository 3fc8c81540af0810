"""The revocations after a snapshot: their form, and the snapshot with them."""

from __future__ import annotations

import json
from copy import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.revoked.additions import Additions
from tenantgate.revoked.names import NAME_BYTES
from tenantgate.revoked.snapshot import Head
from tests.fixtures.revoked.snapshots import snapshot

NAMES = st.binary(min_size=NAME_BYTES, max_size=NAME_BYTES)
A, B, U = (letter * NAME_BYTES for letter in (b"a", b"b", b"u"))


@st.composite
def additions(draw: st.DrawFn) -> Additions:
    base = draw(st.integers(0, 2**53 - 2))
    epoch = draw(st.integers(base + 1, 2**53 - 1))
    return Additions(base, epoch, draw(st.frozensets(NAMES)), draw(st.dictionaries(NAMES, st.integers(0, 2**40))))


@given(additions())
def test_additions_survive_their_form(given_ones: Additions) -> None:
    assert Additions.from_json(given_ones.to_json()) == given_ones


@pytest.mark.parametrize(
    "changes",
    [
        {"form": 2},
        {"base": 8},
        {"base": 9},
        {"base": -1},
        {"base": None},
        {"epoch": "8"},
        {"epoch": 2**53},
        {"exact": "AAAA"},
        {"exact": 1},
        {"until": "?"},
        {"times": [1]},
        {"times": None},
    ],
)
def test_anything_else_is_not_additions(changes: dict[str, object]) -> None:
    form = json.loads(Additions(7, 8, frozenset({A}), {}).to_json())
    assert Additions.from_json(json.dumps(form | changes).encode()) is None
    for name in form:
        missing = {other: value for other, value in form.items() if other != name}
        assert Additions.from_json(json.dumps(missing).encode()) is None
    for raw in (None, b"", b"[]", b"ended"):
        assert Additions.from_json(raw) is None


def test_a_snapshot_with_additions_refuses_both() -> None:
    before = snapshot(7, exact=[A], until={U: 5})
    after = before.with_additions(Additions(7, 9, frozenset({B}), {U: 8}))
    assert after is not None
    assert [after.has(name) for name in (A, B, U)] == [True, True, False]
    assert (after.epoch, after.base, after.until) == (9, 7, {U: 8})
    assert after.head(1) == Head(9, 1, base=7)
    # Later additions have the same base.
    last = after.with_additions(Additions(7, 10, frozenset({A, B}), {}))
    assert last is not None
    assert (last.epoch, last.until) == (10, {U: 8})
    assert last.whole() == snapshot(10, exact=[A, B], until={U: 8})


def test_additions_to_another_snapshot_change_nothing() -> None:
    before = snapshot(7)
    for other in (None, Additions(6, 9, frozenset({A}), {}), Additions(8, 9, frozenset({A}), {})):
        assert before.with_additions(other) is None
    after = before.with_additions(Additions(7, 9, frozenset(), {}))
    assert after is not None
    # An older publication.
    assert after.with_additions(Additions(7, 8, frozenset({A}), {})) is None


@given(additions())
def test_later_additions_follow_earlier_ones(first: Additions) -> None:
    later = Additions(first.epoch, first.epoch + 3, frozenset({A}), {U: 2**41})
    both = first.followed_by(later)
    assert both == replace(first, epoch=later.epoch, exact=first.exact | {A}, until={**first.until, U: 2**41})
    assert both.size == len(first.exact | {A}) + len({**first.until, U: 1})
