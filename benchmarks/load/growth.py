"""Growth of memory and descriptors, and the bounds of connections.

Growth is the slope of a series over the last 60 % of a phase, when caches are full. The slope of each third of them is
the median of the slopes between all pairs of samples (Theil and Sen), which single peaks don't change. Growth is the
median of the thirds: a stall of the machine may need more memory than any before, but only once. A pool has as many
connections as the load needed in the last minute, up to its bound. So connections have no slope, but may not be more
than the pools allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.load.watch import OTHER_DESCRIPTORS, POSTGRES_CONNECTIONS, VALKEY_CLIENTS, Sample
from benchmarks.sessions import percentile
from tenantgate.cache.client import CONNECTIONS
from tenantgate.database.pool import CONTAINER_POOL

SHARE = 0.6
# Per minute.
LIMITS: Mapping[str, float] = {"container, MB": 3.0, OTHER_DESCRIPTORS: 3.0}
# For each worker: its pool, and the connection that checks whether the server is ready.
BOUNDS: Mapping[str, int] = {
    POSTGRES_CONNECTIONS: CONTAINER_POOL.size + CONTAINER_POOL.overflow + 1,
    VALKEY_CLIENTS: CONNECTIONS + 1,
}
# The garbage collector's rhythm would be the slope of a shorter phase.
SHORTEST_SECONDS = 60.0
# After the load: a look-up of the provider's host, a log line.
LEFT_DESCRIPTORS = 10


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
        found.append(Growth(name, first, last, 60 * continued_slope(points), limit))
    return found


class Peak(NamedTuple):
    """The largest number of these connections in a run, and the number that 99 % of the samples don't exceed."""

    series: str
    most: float
    usual: float
    bound: float

    @property
    def exceeded(self) -> bool:
        # Not at any time: a server needs a moment to notice that a connection was closed and replaced.
        return self.usual > self.bound


def peaks(samples: Sequence[Sample], *, workers: int) -> list[Peak]:
    """Return the peak of each kind of connections. `workers`: processes of the container."""
    values = {name: [sample.values[name] for sample in samples] for name in BOUNDS}
    return [
        Peak(name, max(values[name]), percentile(values[name], 0.99), workers * bound) for name, bound in BOUNDS.items()
    ]


def continued_slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes of the three thirds of these points."""
    third = max(1, len(points) // 3)
    return median(slope(points[begin : begin + third]) for begin in (0, third, 2 * third))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs of points; 0 for a single point."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(points)
        for later in points[place + 1 :]
        if later[0] > earlier[0]
    ]
    return median(slopes) if slopes else 0.0
