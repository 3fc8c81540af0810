"""The rules by which a process takes a snapshot, and for how long it trusts it."""

from __future__ import annotations

from copy import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.revoked.holder import (
    BOUND_SECONDS,
    CLOCK_DIFFERENCE_SECONDS,
    FORGET_SECONDS,
    PAUSE_SECONDS,
    REFRESH_SECONDS,
    Holder,
)
from tenantgate.revoked.snapshot import Head
from tests.fixtures.revoked.snapshots import snapshot
from tests.fixtures.tokens.issuer import NOW, ManualClock

SEVEN, EIGHT = snapshot(7), snapshot(8)


class Clocks:
    """Both clocks of a holder. `pass_by` moves both, as time does."""

    def __init__(self) -> None:
        self.wall, self.monotonic = ManualClock(), ManualClock(500.0)
        self.holder = Holder(clock=self.wall, monotonic=self.monotonic)

    def pass_by(self, seconds: float) -> None:
        self.wall.pass_by(seconds)
        self.monotonic.pass_by(seconds)

    def head(self, epoch: int = 7, *, age: float = 0.0) -> Head:
        return Head(epoch, round((self.wall.now - age) * 1000))


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def problem_of(holder: Holder) -> str:
    with pytest.raises(RevocationUnknown) as unknown:
        holder.current()
    return str(unknown.value.private["problem"])


def test_the_bound_leaves_room_for_the_clocks() -> None:
    assert BOUND_SECONDS + CLOCK_DIFFERENCE_SECONDS == 5
    assert PAUSE_SECONDS < REFRESH_SECONDS < BOUND_SECONDS / 4


def test_without_a_snapshot_nothing_is_known(clocks: Clocks) -> None:
    assert clocks.holder.snapshot is None
    assert clocks.holder.is_due()
    assert problem_of(clocks.holder) == "nothing was fetched yet"
    assert not clocks.holder.accept_head(clocks.head())
    assert problem_of(clocks.holder) == "nothing was fetched yet"


def test_a_snapshot_counts_from_the_reading_of_postgresql(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(age=3.0), SEVEN)
    assert clocks.holder.snapshot == clocks.holder.current() == SEVEN
    clocks.pass_by(BOUND_SECONDS - 3.0 - 0.002)
    assert clocks.holder.current() is SEVEN
    clocks.pass_by(0.002)
    assert problem_of(clocks.holder) == "no newer one was fetched"


def test_beyond_the_bound_the_error_says_how_old_it_is(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(), SEVEN)
    clocks.pass_by(12.34)
    clocks.holder.failed("the server can't be reached")
    with pytest.raises(RevocationUnknown) as unknown:
        clocks.holder.current()
    private = unknown.value.private
    assert (private["expected"], private["actual"]) == ("less than 4 s", "12.3 s")
    assert private["problem"] == "the server can't be reached"
    assert unknown.value.retry_after == 1


@pytest.mark.parametrize(
    ("age", "accepted"),
    [
        pytest.param(0.0, True, id="now"),
        pytest.param(BOUND_SECONDS - 0.001, True, id="just-before-the-bound"),
        pytest.param(BOUND_SECONDS, False, id="at-the-bound"),
        pytest.param(3600.0, False, id="an-old-dump"),
        pytest.param(-CLOCK_DIFFERENCE_SECONDS, True, id="the-publishers-clock-is-ahead"),
        pytest.param(-CLOCK_DIFFERENCE_SECONDS - 0.001, False, id="in-the-future"),
        pytest.param(-3600.0, False, id="far-in-the-future"),
    ],
)
def test_a_stale_snapshot_is_refused(clocks: Clocks, age: float, accepted: bool) -> None:
    assert clocks.holder.accept(clocks.head(age=age), SEVEN) is accepted
    held = Clocks()
    assert held.holder.accept(held.head(age=1.0), SEVEN)
    assert held.holder.accept_head(held.head(age=age)) is accepted


@pytest.mark.parametrize(
    ("head", "body", "problem"),
    [
        pytest.param(None, SEVEN, "the snapshot is missing or malformed", id="no-head"),
        pytest.param(Head(7, NOW * 1000), None, "the snapshot is missing or malformed", id="no-body"),
        pytest.param(None, None, "the snapshot is missing or malformed", id="flushed"),
        pytest.param(Head(7, NOW * 1000), EIGHT, "head and snapshot don't fit", id="a-newer-body"),
        pytest.param(Head(8, NOW * 1000), SEVEN, "head and snapshot don't fit", id="an-older-body"),
        pytest.param(Head(7, NOW * 1000, True), SEVEN, "head and snapshot don't fit", id="a-body-of-another-rule"),
        pytest.param(Head(7, NOW * 1000 - 4000), SEVEN, "read too long ago", id="old"),
        pytest.param(Head(7, NOW * 1000 + 1001), SEVEN, "read in the future", id="future"),
    ],
)
def test_what_is_refused_is_not_held(clocks: Clocks, head: Head | None, body: None, problem: str) -> None:
    assert not clocks.holder.accept(head, body)
    clocks.holder.failed()
    assert problem_of(clocks.holder) == problem


def test_an_older_epoch_never_replaces_a_newer_one(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(8), EIGHT)
    clocks.pass_by(1.0)
    assert not clocks.holder.accept_head(clocks.head(7))
    assert not clocks.holder.accept(clocks.head(7), SEVEN)
    clocks.holder.failed()
    assert clocks.holder.current() is EIGHT
    clocks.pass_by(BOUND_SECONDS)
    assert not clocks.holder.accept(clocks.head(7), SEVEN)
    assert problem_of(clocks.holder) == "an older epoch than before"


def test_a_restored_database_is_trusted_again_after_a_minute_in_which_nothing_counted(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(8), EIGHT)
    clocks.pass_by(FORGET_SECONDS - 0.1)
    assert not clocks.holder.accept(clocks.head(7), SEVEN)
    assert problem_of(clocks.holder) == "an older epoch than before"
    clocks.pass_by(0.1)
    assert not clocks.holder.accept(clocks.head(7, age=BOUND_SECONDS), SEVEN)
    assert clocks.holder.accept(clocks.head(7), SEVEN)
    assert clocks.holder.current() is SEVEN


def test_a_newer_head_without_its_body_confirms_nothing(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(7), SEVEN)
    clocks.pass_by(3.0)
    assert not clocks.holder.accept_head(clocks.head(8))
    assert not clocks.holder.accept_head(None)
    clocks.pass_by(1.0)
    assert problem_of(clocks.holder)


def test_another_rule_for_unknown_tenants_needs_its_body(clocks: Clocks) -> None:
    closed = replace(SEVEN, registered=frozenset())
    assert clocks.holder.accept(clocks.head(), SEVEN)
    head = replace(clocks.head(), closed=True)
    assert not clocks.holder.accept_head(head)
    assert clocks.holder.accept(head, closed)
    assert clocks.holder.current() is closed


def test_a_head_of_the_same_epoch_prolongs_it(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(), SEVEN)
    for _ in range(20):
        clocks.pass_by(1.0)
        assert clocks.holder.accept_head(clocks.head(age=0.5))
        assert clocks.holder.current() is SEVEN
    assert clocks.holder.accept(clocks.head(8), EIGHT)
    assert clocks.holder.current() is EIGHT


def test_an_earlier_reading_of_the_same_epoch_does_not_age_it(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(age=0.0), SEVEN)
    clocks.pass_by(1.0)
    assert clocks.holder.accept_head(clocks.head(age=3.9))
    assert clocks.holder.accept(clocks.head(age=3.9), SEVEN)
    clocks.pass_by(BOUND_SECONDS - 1.001)
    assert clocks.holder.current() is SEVEN
    clocks.pass_by(0.001)
    assert problem_of(clocks.holder)


def test_an_older_reading_of_a_newer_epoch_counts_from_its_own_time(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(7), SEVEN)
    assert clocks.holder.accept(clocks.head(8, age=3.0), EIGHT)
    clocks.pass_by(1.0)
    assert problem_of(clocks.holder)


def test_a_fetch_is_due_every_half_second_and_soon_after_a_failure(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(), SEVEN)
    assert not clocks.holder.is_due()
    clocks.pass_by(0.499)
    assert not clocks.holder.is_due()
    clocks.pass_by(0.002)
    assert clocks.holder.is_due()
    clocks.holder.failed()
    assert not clocks.holder.is_due()
    clocks.pass_by(0.199)
    assert not clocks.holder.is_due()
    clocks.pass_by(0.002)
    assert clocks.holder.is_due()
    assert clocks.holder.accept_head(clocks.head())
    clocks.pass_by(0.499)
    assert not clocks.holder.is_due()


def test_a_fetch_is_due_as_soon_as_the_snapshot_no_longer_counts(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(age=BOUND_SECONDS - 0.1), SEVEN)
    clocks.pass_by(0.05)
    assert not clocks.holder.is_due()
    clocks.pass_by(0.06)
    assert clocks.holder.is_due()
    clocks.holder.failed()
    assert not clocks.holder.is_due()


def test_a_head_that_was_seen_before_does_not_put_the_next_fetch_off(clocks: Clocks) -> None:
    head = clocks.head()
    assert clocks.holder.accept(head, SEVEN)
    clocks.pass_by(BOUND_SECONDS - 0.1)
    assert clocks.holder.accept_head(head)
    clocks.pass_by(0.11)
    assert clocks.holder.is_due()


def test_a_frozen_machine_is_noticed_by_the_wall_clock(clocks: Clocks) -> None:
    """Lambda stops an environment between two requests; its monotonic clock may stop, too."""
    assert clocks.holder.accept(clocks.head(), SEVEN)
    clocks.wall.pass_by(600)
    assert clocks.holder.is_due()
    assert problem_of(clocks.holder)


@pytest.mark.parametrize("step", [-0.3, -100.0, -86_400.0])
def test_a_clock_that_is_set_back_makes_nothing_younger(clocks: Clocks, step: float) -> None:
    assert clocks.holder.accept(clocks.head(age=1.0), SEVEN)
    clocks.wall.pass_by(step)
    assert clocks.holder.is_due()
    clocks.pass_by(BOUND_SECONDS - 1.001)
    assert clocks.holder.current() is SEVEN
    clocks.pass_by(0.002)
    assert problem_of(clocks.holder)


def test_a_clock_that_is_set_forward_fails_closed_until_it_fits_again(clocks: Clocks) -> None:
    assert clocks.holder.accept(clocks.head(), SEVEN)
    publisher = clocks.wall.now
    clocks.wall.pass_by(100)
    assert clocks.holder.is_due()
    assert not clocks.holder.accept_head(Head(7, round(publisher * 1000)))
    assert problem_of(clocks.holder)
    clocks.wall.pass_by(-100)
    assert clocks.holder.current() is SEVEN


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 6)),
        st.tuples(st.just("freeze"), st.floats(0, 6)),
        st.tuples(st.just("revoke"), st.just(0.0)),
        st.tuples(st.just("fetch"), st.floats(0, 10)),
        st.tuples(st.just("head"), st.floats(0, 10)),
        st.tuples(st.just("fail"), st.just(0.0)),
    ),
    max_size=40,
)


@given(_STEPS)
def test_no_revocation_is_missed_for_longer_than_the_bound(steps: list[tuple[str, float]]) -> None:
    """Any reading of PostgreSQL may be served at any later time: what is trusted lacks nothing older than the bound."""
    clocks = Clocks()
    # The time of each epoch's change: epoch 0 was there before.
    changed = [clocks.wall.now - 1000]
    highest = -1
    for step, value in steps:
        if step == "pass":
            clocks.pass_by(value)
        elif step == "freeze":
            clocks.wall.pass_by(value)
        elif step == "revoke":
            changed.append(clocks.wall.now)
        elif step == "fail":
            clocks.holder.failed()
        else:
            read_at = clocks.wall.now - value
            epoch = max(number for number, at in enumerate(changed) if at <= read_at)
            head = Head(epoch, int(read_at * 1000))
            taken = (
                clocks.holder.accept(head, replace(SEVEN, epoch=epoch))
                if step == "fetch"
                else clocks.holder.accept_head(head)
            )
            assert not taken or (epoch >= highest and value < BOUND_SECONDS)
        held = clocks.holder.snapshot
        highest = max(highest, -1 if held is None else held.epoch)
        try:
            trusted = clocks.holder.current().epoch
        except RevocationUnknown:
            continue
        assert trusted == highest
        assert all(clocks.wall.now - at < BOUND_SECONDS + 0.01 for at in changed[trusted + 1 :])


def test_a_clock_that_stands_still_delays_no_fetch() -> None:
    ticks = 0.0
    holder = Holder(clock=lambda: 1000.0, monotonic=lambda: ticks)
    assert holder.accept(snapshot().head(1_000_000), snapshot())
    assert not holder.is_due()
    ticks = REFRESH_SECONDS
    assert holder.is_due()
