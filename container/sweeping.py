"""The container's sweeps of sessions: one every few minutes in each worker. Several at once only share the work."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from functions.session_sweep.sweep import sweep
from tenantgate.errors.base import TenantgateError

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 300.0


@asynccontextmanager
async def sweeping(
    work: Callable[[], Awaitable[object]] = sweep, *, every: float = SWEEP_SECONDS
) -> AsyncIterator[None]:
    """Sweep about every `every` seconds while the block runs."""
    task = asyncio.create_task(_repeat(work, every))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _repeat(work: Callable[[], Awaitable[object]], every: float) -> None:
    while True:
        # Random, so that replicas that started together don't sweep together.
        await asyncio.sleep(every * random.uniform(0.8, 1.2))  # noqa: S311
        try:
            await work()
        except TenantgateError as error:
            logger.warning("not swept; the next sweep tries again", extra={"context": {"error_code": error.error.code}})
        except Exception:
            logger.exception("the sweep failed; the next one tries again")
