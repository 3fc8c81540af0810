"""The readiness checks: side by side under one deadline, so that a dead dependency can't hold the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tenantgate.errors.base import Word

# `absent`: something optional that isn't there.
type Status = Literal["ok", "warning", "failed", "absent"]
# Statuses by name where one question settles several checks.
type Outcome = Status | Mapping[str, Status]

# With what surrounds the checks, the answer stays below 500 ms.
DEADLINE_SECONDS = 0.35

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """`run` returns the outcome or raises (failed); `overdue` is the status while `run` is busy at the deadline."""

    run: Callable[[], Awaitable[Outcome]]
    overdue: Callable[[], Status] = lambda: "failed"


class Readiness:
    """Runs the checks of one process. One that hangs is left to itself and not started a second time meanwhile:
    probes that go on coming must not pile up threads and connections behind it."""

    def __init__(self, checks: Mapping[str, Check], *, deadline: float = DEADLINE_SECONDS) -> None:
        self._checks = checks
        self._deadline = deadline
        self._running: dict[str, asyncio.Task[Outcome]] = {}

    async def run(self) -> dict[str, Status]:
        """Each check's status by name, within the deadline (in seconds)."""
        tasks = {name: self._task(name, check) for name, check in self._checks.items()}
        await asyncio.wait(tasks.values(), timeout=self._deadline)
        statuses: dict[str, Status] = {}
        for name, task in tasks.items():
            outcome = self._outcome(name, task)
            statuses.update({name: outcome} if isinstance(outcome, str) else outcome)
        return statuses

    def _task(self, name: str, check: Check) -> asyncio.Task[Outcome]:
        running = self._running.get(name)
        if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
            running = asyncio.create_task(_called(check), name=f"readiness of {name}")
            # Asked for its exception even when nobody waits any more, so that asyncio doesn't report it as lost.
            running.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._running[name] = running
        return running

    def _outcome(self, name: str, task: asyncio.Task[Outcome]) -> Outcome:
        if not task.done():
            status = self._checks[name].overdue()
            _log.warning(
                "a readiness check is overdue", extra={"context": {"check": Word(name), "status": Word(status)}}
            )
            return status
        if task.cancelled():
            return "failed"
        if (error := task.exception()) is not None:
            _log.warning("a readiness check failed", exc_info=error, extra={"context": {"check": Word(name)}})
            return "failed"
        return task.result()


async def _called(check: Check) -> Outcome:
    return await check.run()
