"""The limits that a run must keep, and the ones that it didn't."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.load.growth import LEFT_DESCRIPTORS, Growth, Peak
from benchmarks.load.phases import Phase
from benchmarks.load.watch import OTHER_DESCRIPTORS, Sample

# Of any response, in milliseconds. A load balancer waits a minute, API Gateway 30 s.
LONGEST = 5000.0
# At the highest rate, of all requests: a moment in which the machine does something else.
SHED_SHARE = 0.01
# At twice the highest rate, of the requests served per second at the highest.
GOODPUT_SHARE = 0.7
# Of the generator's own delay, p99 in milliseconds: above it, it measures itself.
LATE = 500.0


class Run(NamedTuple):
    """`before` and `after`: samples without load."""

    highest: Phase
    twice: Phase
    before: Sample
    after: Sample
    samples: Sequence[Sample]
    growths: tuple[Sequence[Growth], Sequence[Growth]]
    peaks: Sequence[Peak]

    @property
    def left_descriptors(self) -> float:
        return self.after.values[OTHER_DESCRIPTORS] - self.before.values[OTHER_DESCRIPTORS]

    @property
    def phases(self) -> dict[str, Phase]:
        return {"highest rate": self.highest, "twice that": self.twice}


def broken_limits(run: Run) -> list[str]:
    """Return each limit that the run exceeded, as a sentence."""
    found = [*_of_responses("highest rate", run.highest), *_of_responses("twice that", run.twice)]
    if run.highest.shed_share > SHED_SHARE:
        found.append(
            f"highest rate: {run.highest.shed_share:.1%} of the requests were shed, more than {SHED_SHARE:.0%}"
        )
    share = run.twice.goodput / max(run.highest.goodput, 1e-9)
    if share < GOODPUT_SHARE:
        found.append(
            f"twice that: only {share:.0%} of the requests per second at the highest rate were served, "
            f"less than {GOODPUT_SHARE:.0%}"
        )
    for name, growths in zip(run.phases, run.growths, strict=True):
        found += [
            f"{name}: {growth.series} grew by {growth.per_minute:.1f} a minute, more than {growth.limit:g}"
            for growth in growths
            if growth.exceeded
        ]
    found += [
        f"there were {peak.usual:.0f} {peak.series}, more than {peak.bound:.0f}" for peak in run.peaks if peak.exceeded
    ]
    if run.left_descriptors > LEFT_DESCRIPTORS:
        found.append(f"after the load, the container had {run.left_descriptors:.0f} more other descriptors than before")
    return found


def _of_responses(name: str, phase: Phase) -> Iterable[str]:
    for detail, count in phase.details("failed").most_common():
        yield f"{name}: {count:,} × {detail}"
    times = phase.times("served", "shed")
    if times is not None and times.longest > LONGEST:
        yield f"{name}: a response took {times.longest:.0f} ms, more than {LONGEST:.0f}"
    if phase.late > LATE:
        yield f"{name}: the load generator was late itself, by {phase.late:.0f} ms (p99): the times are its own"
