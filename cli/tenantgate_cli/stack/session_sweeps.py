"""The sweeps of sessions on a developer's machine; on AWS, a schedule invokes the function."""

from __future__ import annotations

import asyncio
from secrets import token_hex

from lambda_gateway.app import Gateway
from lambda_gateway.runtime.failures import FunctionError

FUNCTION = "SessionSweepFunction"
SWEEP_SECONDS = 300.0
_LIMIT_SECONDS = 900.0


async def sweep_sessions(gateway: Gateway, *, every: float = SWEEP_SECONDS) -> None:
    """Run until cancelled: invoke the function every `every` seconds, if the template has it.

    Its log file has the outcome of each sweep; a failed one is repeated by the next.
    """
    while True:
        await asyncio.sleep(every)
        if FUNCTION not in gateway.functions:
            continue
        try:
            await gateway.functions.invoke(FUNCTION, b"{}", f"Root=1-{token_hex(4)}-{token_hex(12)}", _LIMIT_SECONDS)
        except (FunctionError, TimeoutError):
            continue
