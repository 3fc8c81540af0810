"""Growth of memory, descriptors and connections, compared with its limits.

Growth is the slope of a series over the last 60 % of a phase, when caches and pools are full: the median of the slopes
between all pairs of samples (Theil and Sen), which single peaks don't change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.load.watch import Sample

SHARE = 0.6
# Per minute.
LIMITS: Mapping[str, float] = {
    "container, MB": 3.0,
    "container, descriptors": 10.0,
    "PostgreSQL connections": 1.0,
    "Valkey clients": 1.0,
}
# The garbage collector's rhythm would be the slope of a shorter phase.
SHORTEST_SECONDS = 60.0
# Left over after the load, for two workers. Each keeps 64 connections to Valkey, 20 to PostgreSQL, 16 to the provider.
LEFT_DESCRIPTORS = 200


class Growth(NamedTuple):
    """The growth of a series in a phase, per minute."""

    series: str
    first: float
    last: float
    per_minute: float
    limit: float

    @property
    def exceeded(self) -> bool:
        return self.per_minute > self.limit


def growth(samples: Sequence[Sample], began: float, ended: float) -> list[Growth]:
    """Return the growth of each limited series in the phase between these times."""
    start = ended - SHARE * (ended - began)
    chosen = [sample for sample in samples if start <= sample.at <= ended]
    found = []
    for name, limit in LIMITS.items():
        points = [(sample.at, sample.values[name]) for sample in chosen]
        tenth = max(1, len(points) // 10)
        first = median(value for _, value in points[:tenth])
        last = median(value for _, value in points[-tenth:])
        found.append(Growth(name, first, last, 60 * slope(points), limit))
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs of points; 0 for a single point."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(points)
        for later in points[place + 1 :]
        if later[0] > earlier[0]
    ]
    return median(slopes) if slopes else 0.0
