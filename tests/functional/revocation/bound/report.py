"""Write the section of docs/RELIABILITY.md, with its table and plot, from the figures of the last complete run."""

from __future__ import annotations

from benchmarks.plots import Mark, cumulative_plot
from tenantgate_cli.paths import ROOT
from tests.functional.revocation.bound.conditions import CONDITIONS
from tests.functional.revocation.bound.figures import GOAL_LATEST, GOAL_P99, Delays, Run, table

PAGE = ROOT / "docs" / "RELIABILITY.md"
FIGURES = ROOT / "docs" / "revocation" / "bound.json"
PLOT = ROOT / "docs" / "revocation" / "bound.svg"
BEGIN = "<!-- revocation bound: written by `python -m tests.functional.revocation.bound` -->"
END = "<!-- /revocation bound -->"


def load() -> Run:
    """Read the figures of the last run."""
    return Run.from_json(FIGURES.read_text(encoding="utf-8"))


def save(run: Run) -> None:
    """Keep the figures of a run, and write the page and the plot from them."""
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(run.to_json(), encoding="utf-8")
    PLOT.write_text(plot(run), encoding="utf-8")
    PAGE.write_text(page(run), encoding="utf-8")


def page(run: Run) -> str:
    """Return the page with its section updated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{section(run)}\n\n{END}{rest.partition(END)[2]}"


def plot(run: Run) -> str:
    """Draw the delays: one cumulative distribution for each condition, on a logarithmic axis."""
    return cumulative_plot(
        f"Revoked credentials that no worker let in any more, of {run.revocations:,}",
        {one.name: (one.acknowledged + one.recorded).seconds() for one in run.conditions},
        x="seconds after the acknowledgement (0.01: or less)",
        marks=[Mark(GOAL_P99, "1 s"), Mark(GOAL_LATEST, "5 s")],
        first=0.01,
    )


def section(run: Run) -> str:
    """Format the figures as Markdown."""
    every = sum((one.acknowledged for one in run.conditions), Delays({}))
    kinds: dict[str, int] = {}
    for one in run.conditions:
        for kind, count in one.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    repeated = sum(one.repeated for one in run.conditions)
    conditions = "\n".join(f"| {name} | {condition.text} |" for name, condition in CONDITIONS.items())
    outcome = (
        f"{run.revocations:,} revocations, {run.decisions:,} requests in {run.seconds} s. Of all acknowledged "
        f"revocations, 99 % took effect within {every.quantile(0.99):.2f} s, and the last one after "
        f"{every.latest:.2f} s. Authorizers decided for at most "
        f"{max((one.undecided_after for one in run.conditions), default=0.0):.2f} s without Valkey, and every worker "
        f"decided again at most {max((one.recovery for one in run.conditions), default=0.0):.2f} s after the end of a "
        f"condition. {repeated:,} requests to revoke were sent again, because PostgreSQL did not respond in time. "
        f"{run.machine}"
    )
    revoked = "Revoked: " + "; ".join(f"{count:,} × {kind}" for kind, count in sorted(kinds.items())) + "."
    image = f"![Cumulative distribution of the delays]({PLOT.relative_to(PAGE.parent)})"
    return "\n\n".join((f"| Valkey | in this run |\n|---|---|\n{conditions}", table(run), image, outcome, revoked))
