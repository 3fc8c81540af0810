"""The long run: mutated tokens against the verifier, PyJWT and joserfc."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from fuzz.judge import Finding, Judge
from fuzz.mutators import Mutation

# Each chunk has its own generator, seeded from the seed and the chunk's number, so any finding can be reproduced.
CHUNK = 5_000
_BITS = 1 << 28
_ENOUGH = 100


class Found(NamedTuple):
    """A finding, and the token to replay it with."""

    what: str
    mutator: str
    chunk: int
    token: str


class Distinct:
    """An estimate of the number of different texts in 32 MB: bits set by hash (linear counting)."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)
        self._set = 0

    def add(self, text: str) -> None:
        spot = hash(text) & (_BITS - 1)
        byte, bit = spot >> 3, 1 << (spot & 7)
        if not self._bits[byte] & bit:
            self._bits[byte] |= bit
            self._set += 1

    def __len__(self) -> int:
        return round(-_BITS * math.log1p(-self._set / _BITS))


class Tally:
    """The results of a run so far."""

    def __init__(self) -> None:
        self.runs = 0
        self.distinct = Distinct()
        self.by_mutator: Counter[str] = Counter()
        self.accepted_by_mutator: Counter[str] = Counter()
        self.must_pass = 0
        self.found: list[Found] = []


class Differential:
    """Runs chunk after chunk; `judge` counts both directions."""

    def __init__(self, seed: int, judge: Judge) -> None:
        self._seed = seed
        self._chunk = 0
        self.judge = judge
        self.tally = Tally()

    def mutation(self) -> Mutation:
        """Return the source of the next chunk's tokens."""
        return Mutation(Random(f"{self._seed}:{self._chunk}"))  # noqa: S311 - to be repeatable, not secret

    def run_chunk(self, size: int = CHUNK) -> None:
        tally, judge, mutation = self.tally, self.judge, self.mutation()
        for _ in range(size):
            mutator, base, case = mutation.draw()
            tally.runs += 1
            tally.by_mutator[mutator.name] += 1
            tally.must_pass += case.must_pass
            tally.distinct.add(case.token)
            try:
                if judge.try_token(case, base):
                    tally.accepted_by_mutator[mutator.name] += 1
            except Finding as finding:
                tally.found.append(Found(str(finding), mutator.name, self._chunk, case.token))
        self._chunk += 1

    def run(
        self, *, runs: int | None = None, seconds: float | None = None, progress: Callable[[str], None] = print
    ) -> float:
        """Run for that many runs or seconds and return the seconds; an interrupted run keeps its counts."""
        started = reported = time.monotonic()
        try:
            while (runs is None or self.tally.runs < runs) and (
                seconds is None or time.monotonic() < started + seconds
            ):
                self.run_chunk(CHUNK if runs is None else min(CHUNK, runs - self.tally.runs))
                if len(self.tally.found) >= _ENOUGH:
                    progress(f"stopped: {_ENOUGH} findings are enough")
                    break
                if time.monotonic() >= reported + 30:
                    reported = time.monotonic()
                    progress(self._so_far(reported - started))
        except KeyboardInterrupt:
            progress("interrupted")
        return time.monotonic() - started

    def _so_far(self, seconds: float) -> str:
        runs, accepted, found = self.tally.runs, self.judge.accepted, len(self.tally.found)
        return f"{runs:,} runs, {runs / seconds:,.0f}/s, {accepted:,} accepted, {found} findings"
