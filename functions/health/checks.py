"""The readiness checks. They run concurrently with one deadline, so a dead dependency can't delay the response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tenantgate.errors.base import Word

# `absent`: an optional part is missing.
type Status = Literal["ok", "warning", "failed", "absent"]
# A mapping holds several statuses by name, when one check determines them all.
type Outcome = Status | Mapping[str, Status]

# So the whole response takes less than 500 ms.
DEADLINE_SECONDS = 0.35

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `run` returns its outcome, or raises (failed). `overdue` is the status if `run` is too slow."""

    run: Callable[[], Awaitable[Outcome]]
    overdue: Callable[[], Status] = lambda: "failed"


class Readiness:
    """Runs the checks of one process.

    A check that hangs keeps running and is not started again until it ends. Otherwise repeated probes would accumulate
    threads and connections.
    """

    def __init__(self, checks: Mapping[str, Check], *, deadline: float = DEADLINE_SECONDS) -> None:
        self._checks = checks
        self._deadline = deadline
        self._running: dict[str, asyncio.Task[Outcome]] = {}

    async def run(self) -> dict[str, Status]:
        """Return each check's status by name, within the deadline."""
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
            running = asyncio.create_task(_run(check), name=f"readiness of {name}")
            # Retrieve the exception even after the deadline, so that asyncio doesn't report it as never retrieved.
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


async def _run(check: Check) -> Outcome:
    return await check.run()
