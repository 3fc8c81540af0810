"""The process's database, from its settings."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tenantgate.settings import get_settings

if TYPE_CHECKING:
    from tenantgate.database.engine import Database

# One per event loop (a process has one): a pool must not outlive the loop that its connections belong to.
_databases: WeakKeyDictionary[asyncio.AbstractEventLoop, Database] = WeakKeyDictionary()


def database() -> Database:
    """The database of the running event loop, made at the first call; `DATABASE_URL` says which."""
    loop = asyncio.get_running_loop()
    if (known := _databases.get(loop)) is not None:
        return known
    # Here, because importing SQLAlchemy is most of a cold start, and many requests need no database. Nothing that it
    # makes is garbage, so none is collected meanwhile.
    collecting = gc.isenabled()
    gc.disable()
    try:
        from tenantgate.database.engine import CONTAINER_POOL, LAMBDA_POOL, Database  # noqa: PLC0415
    finally:
        if collecting:
            gc.enable()

    settings = get_settings()
    made = Database(settings.required_database_url, pool=LAMBDA_POOL if settings.on_lambda else CONTAINER_POOL)
    _databases[loop] = made
    return made


async def dispose_database() -> None:
    """Close the running loop's connections, if there are any: at the end of the container's lifespan, and of tests."""
    if (known := _databases.pop(asyncio.get_running_loop(), None)) is not None:
        await known.dispose()
