"""The container's publications of the list of revocations: every second in each worker, if there is a cache."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tenantgate.revocation.tasks import Republisher
from tenantgate.revocation.wiring import republisher
from tenantgate.settings.model import Settings


@asynccontextmanager
async def republishing(settings: Settings, made: Republisher | None = None) -> AsyncIterator[None]:
    """Publish while the block runs. `made`: by default on the process's database and cache."""
    publisher = made or (None if settings.redis_url is None else republisher())
    if publisher is None:
        yield
        return
    task = asyncio.create_task(publisher.run(math.inf))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
