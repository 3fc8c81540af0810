"""The figures of the last run, and the page and the plot that are written from them."""

from __future__ import annotations

from tests.functional.revocation.bound.conditions import CONDITIONS, FORGETS
from tests.functional.revocation.bound.figures import GOAL_LATEST, GOAL_P99, Delays, Figures, Run, table
from tests.functional.revocation.bound.report import PAGE, PLOT, load, page, plot


def test_delays_are_rounded_up_and_counted() -> None:
    delays = Delays.of([0.0, 0.101, 0.11, 2.0])
    assert delays.counts == {0: 1, 110: 2, 2000: 1}
    assert (delays.total, delays.latest) == (4, 2.0)
    assert [delays.quantile(share) for share in (0.25, 0.5, 0.75, 0.76, 1.0)] == [0.0, 0.11, 0.11, 2.0, 2.0]
    assert delays.seconds() == [0.0, 0.11, 0.11, 2.0]
    assert (delays + Delays({0: 1, 30: 1})).counts == {0: 2, 30: 1, 110: 2, 2000: 1}
    assert (Delays({}).total, Delays({}).latest, Delays({}).quantile(0.99)) == (0, 0, 0.0)


def test_a_run_is_kept_as_json() -> None:
    condition = Figures.of(
        "up",
        acknowledged=[0.2],
        recorded=[],
        shut=[0.25],
        kinds={"token": 1},
        statuses={"200": 3, "401": 5, "500": 2},
        codes={"SYS_011": 2},
        repeated=1,
        allowed_again=0,
        recovery=0.123,
        undecided_after=0.0,
    )
    run = Run("A machine.", 4, 60, [condition])
    assert Run.from_json(run.to_json()) == run
    assert table(run).endswith("| up | 1 | 0.20 s | 0.20 s | 0.20 s | 0 | | | | 0.25 s | 10 | 2 (`SYS_011`) | 0 |")


def test_the_last_run_was_whole_and_within_the_goals() -> None:
    run = load()
    assert [one.name for one in run.conditions] == list(CONDITIONS)
    assert run.revocations >= 10_000
    for one in run.conditions:
        assert (one.acknowledged + one.recorded).latest <= GOAL_LATEST, one.name
        assert one.allowed_again == 0 or one.name == FORGETS, one.name
        assert one.undecided_after <= GOAL_LATEST, one.name
    assert run.conditions[0].acknowledged.quantile(0.99) <= GOAL_P99


def test_page_and_plot_are_those_of_the_last_run() -> None:
    remedy = "fix: python -m tests.functional.revocation.bound --rewrite"
    assert PAGE.read_text(encoding="utf-8") == page(load()), remedy
    assert PLOT.read_text(encoding="utf-8") == plot(load()), remedy
