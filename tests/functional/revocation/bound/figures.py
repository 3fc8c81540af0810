"""The figures of a run: kept as JSON, and shown as a table."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

# Seconds.
GOAL_P99, GOAL_LATEST = 1.0, 5.0
# Milliseconds: delays are rounded up to a multiple of this.
_STEP = 10


@dataclass(frozen=True)
class Delays:
    """The delays until revoked credentials were refused: milliseconds, and the number of credentials."""

    counts: Mapping[int, int]

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        return cls(dict(sorted(Counter(math.ceil(one * 1000 / _STEP) * _STEP for one in seconds).items())))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> float:
        """Return the seconds within which this share of the credentials was refused; 0 without any."""
        needed, seen = share * self.total, 0
        for milliseconds, count in self.counts.items():
            seen += count
            if seen >= needed:
                return milliseconds / 1000
        return 0.0

    @property
    def latest(self) -> float:
        """Return the longest delay in seconds."""
        return max(self.counts, default=0) / 1000

    def seconds(self) -> list[float]:
        """Return every delay."""
        return [milliseconds / 1000 for milliseconds, count in self.counts.items() for _ in range(count)]

    def __add__(self, other: Delays) -> Delays:
        return Delays(dict(sorted((Counter(self.counts) + Counter(other.counts)).items())))


@dataclass(frozen=True)
class Figures:
    """One condition. `acknowledged`, `recorded`: by the response to the revocation; until the last request was let in.

    `shut`: of all, until a request to every worker had shown it. `statuses`, `codes`: the numbers of responses by
    status, and of failures by code. `repeated`: requests to revoke that PostgreSQL did not record in time, and that
    were sent again. `recovery`: the longest time in seconds until every worker decided again. `undecided_after`: the
    longest time for which an authorizer decided without Valkey.
    """

    name: str
    acknowledged: Delays
    recorded: Delays
    shut: Delays
    kinds: Mapping[str, int]
    statuses: Mapping[str, int]
    codes: Mapping[str, int]
    repeated: int
    allowed_again: int
    recovery: float
    undecided_after: float

    @classmethod
    def of(
        cls,
        name: str,
        *,
        acknowledged: Iterable[float],
        recorded: Iterable[float],
        shut: Iterable[float],
        kinds: Mapping[str, int],
        statuses: Mapping[str, int],
        codes: Mapping[str, int],
        repeated: int,
        allowed_again: int,
        recovery: float,
        undecided_after: float,
    ) -> Self:
        return cls(
            name,
            Delays.of(acknowledged),
            Delays.of(recorded),
            Delays.of(shut),
            dict(sorted(kinds.items())),
            dict(sorted(statuses.items())),
            dict(sorted(codes.items())),
            repeated,
            allowed_again,
            round(recovery, 2),
            round(undecided_after, 2),
        )

    @property
    def failed_closed(self) -> int:
        """Return the number of requests that no worker decided."""
        return self.statuses.get("500", 0) + self.statuses.get("503", 0)


@dataclass(frozen=True)
class Run:
    """A whole run. `machine`: in words, with the date. `workers`: the number of authorizers."""

    machine: str
    workers: int
    seconds: int
    conditions: Sequence[Figures]

    @property
    def revocations(self) -> int:
        return sum(one.acknowledged.total + one.recorded.total for one in self.conditions)

    @property
    def decisions(self) -> int:
        return sum(sum(one.statuses.values()) for one in self.conditions)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        given = json.loads(text)
        conditions = [
            Figures(**one | {name: _delays(one[name]) for name in ("acknowledged", "recorded", "shut")})
            for one in given["conditions"]
        ]
        return cls(given["machine"], given["workers"], given["seconds"], conditions)


def _delays(given: Mapping[str, Mapping[str, int]]) -> Delays:
    return Delays({int(milliseconds): count for milliseconds, count in given["counts"].items()})


def table(run: Run) -> str:
    """Format the delays as Markdown."""
    columns = (
        *("Valkey", "acknowledged", "p50", "p99", "last", "only recorded (503)", "p50", "p99", "last"),
        "shown by, p99",
        *("requests", "no decision", "let in again"),
    )
    lines = [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 1)}"]
    for one in run.conditions:
        requests = sum(one.statuses.values())
        lines.append(
            f"| {one.name} | {_times(one.acknowledged)} | {_times(one.recorded)}"
            f" | {one.shut.quantile(0.99):.2f} s"
            f" | {requests:,} | {_undecided(one)} | {one.allowed_again} |"
        )
    return "\n".join(lines)


def _times(delays: Delays) -> str:
    if not delays.total:
        return "0 | | |"
    p50, p99 = delays.quantile(0.5), delays.quantile(0.99)
    return f"{delays.total:,} | {p50:.2f} s | {p99:.2f} s | {delays.latest:.2f} s"


def _undecided(one: Figures) -> str:
    if not one.failed_closed:
        return "0"
    codes = ", ".join(f"`{code}`" for code in one.codes)
    return f"{one.failed_closed:,}{f' ({codes})' if codes else ''}"
