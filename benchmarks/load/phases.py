"""Phases of load at a fixed rate, as an open loop: requests begin in time, whether or not earlier ones are complete."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.load.mix import Mix, Record, Result
from benchmarks.sessions import percentile


class Times(NamedTuple):
    """Milliseconds, from the intended time of sending to the end of the response."""

    p50: float
    p99: float
    longest: float


class Phase(NamedTuple):
    """A phase. `began` and `ended` are times of `time.perf_counter`; `cpu`: processor seconds of each part."""

    rate: float
    began: float
    ended: float
    records: Sequence[Record]
    cpu: dict[str, float]

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def goodput(self) -> float:
        """Return the requests served per second."""
        return len(self.of("served")) / self.seconds

    @property
    def shed_share(self) -> float:
        return len(self.of("shed")) / max(1, len(self.records))

    @property
    def late(self) -> float:
        """Return the p99 of the generator's own delay, in milliseconds."""
        return percentile([record.late * 1000 for record in self.records], 0.99)

    def of(self, result: Result) -> list[Record]:
        return [record for record in self.records if record.result == result]

    def times(self, *results: Result) -> Times | None:
        values = [record.seconds * 1000 for record in self.records if record.result in results]
        return Times(percentile(values, 0.5), percentile(values, 0.99), max(values)) if values else None

    def details(self, result: Result) -> Counter[str]:
        return Counter(record.detail for record in self.of(result))


async def run_phase(mix: Mix, rate: float, seconds: float) -> Phase:
    """Begin a request every 1/`rate` seconds, and wait for all responses."""
    records: list[Record] = []
    began = time.perf_counter()

    async def one(due: float) -> None:
        records.append(await mix.send(mix.next_kind(), due))

    async with asyncio.TaskGroup() as group:
        for place in range(int(rate * seconds)):
            due = began + place / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    return Phase(rate, began, time.perf_counter(), records, {})
