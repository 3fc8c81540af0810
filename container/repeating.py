"""A task that a worker of the container repeats, such as the sweep of sessions."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from tenantgate.errors.base import TenantgateError, Word

logger = logging.getLogger(__name__)


@asynccontextmanager
async def repeating(work: Callable[[], Awaitable[object]], *, every: float, task: str) -> AsyncIterator[None]:
    """Do the work about every `every` seconds while the block runs. `task`: its name in the log."""
    async with in_background(_repeat(work, every, task)):
        yield


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run the work while the block runs, and cancel it at the end."""
    running = asyncio.create_task(work)
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _repeat(work: Callable[[], Awaitable[object]], every: float, task: str) -> None:
    while True:
        # Random, so that replicas that started together don't work together.
        await asyncio.sleep(every * random.uniform(0.8, 1.2))  # noqa: S311
        try:
            await work()
        except TenantgateError as error:
            context = {"task": Word(task), "error_code": error.error.code}
            logger.warning("a repeated task failed; it is tried again", extra={"context": context})
        except Exception:
            logger.exception("a repeated task failed; it is tried again", extra={"context": {"task": Word(task)}})
