"""The functions that a schedule invokes on AWS, on a developer's machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import NamedTuple

from lambda_gateway.app import Gateway
from lambda_gateway.runtime.failures import FunctionError
from tenantgate_cli.stack.variables import parsed


class Schedule(NamedTuple):
    """`function`: its name in the template. `pause`: seconds before each invocation. `limit`: of an invocation."""

    function: str
    pause: float
    limit: float


FAILED_SECONDS = 1.0
POLL = "SecurityEventPollFunction"
SCHEDULES = (
    Schedule("SessionSweepFunction", pause=300.0, limit=900.0),
    Schedule("AuditSealFunction", pause=3.0, limit=900.0),
    # It runs for a minute; the list that it publishes counts for a few seconds.
    Schedule("RevocationRepublisherFunction", pause=0.2, limit=60.0),
    Schedule(POLL, pause=5.0, limit=300.0),
)


def schedules_for(settings: Mapping[str, str]) -> Sequence[Schedule]:
    """Return the schedules that a stack with these settings needs: it polls only if an issuer has `event_poll_url`."""
    polls = any(issuer.event_poll_url for issuer in parsed(settings).token_policy.issuers)
    return [schedule for schedule in SCHEDULES if polls or schedule.function != POLL]


async def keep_schedules(gateway: Gateway, schedules: Sequence[Schedule]) -> None:
    """Run until cancelled: invoke each function again and again, if the template has it.

    Its log file has the outcome of each invocation; the next one does what a failed one left.
    """
    async with asyncio.TaskGroup() as group:
        for schedule in schedules:
            group.create_task(_keep(gateway, schedule))


async def _keep(gateway: Gateway, schedule: Schedule) -> None:
    while True:
        await asyncio.sleep(schedule.pause)
        if schedule.function not in gateway.functions:
            await asyncio.sleep(FAILED_SECONDS)
            continue
        trace = f"Root=1-{token_hex(4)}-{token_hex(12)}"
        try:
            await gateway.functions.invoke(schedule.function, b"{}", trace, schedule.limit)
        except (FunctionError, TimeoutError):
            # A function that fails at once must not occupy a core.
            await asyncio.sleep(FAILED_SECONDS)
