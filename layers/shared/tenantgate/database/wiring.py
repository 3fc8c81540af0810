"""The process's database, built from its settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Literal
from weakref import WeakKeyDictionary

from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate.database.unit import Database
from tenantgate.errors.base import Word
from tenantgate.settings.environment import get_settings

logger = logging.getLogger(__name__)

# One per event loop (a process has one): connections must not outlive their loop.
_databases: WeakKeyDictionary[asyncio.AbstractEventLoop, Database] = WeakKeyDictionary()


def database() -> Database:
    """Return the running event loop's database (`DATABASE_URL`), created at the first call."""
    loop = asyncio.get_running_loop()
    if (known := _databases.get(loop)) is not None:
        return known
    made = _databases[loop] = _maker()(get_settings().required_database_url)
    return made


def prepare_database() -> None:
    """Import the modules of `database()` outside a caller's deadline. Makes no connection."""
    _maker()
    from tenantgate.database.rds_login import prepare_login  # noqa: PLC0415  (as the pool is)

    prepare_login(get_settings().database_url or "")


def database_is_verified() -> bool:
    """Tell whether `DATABASE_TLS` requires verified servers; log a warning at the first call if it doesn't."""
    if get_settings().database_tls == "verify-full":
        return True
    _warn(get_settings().database_tls)
    return False


@cache
def _warn(tls: str) -> None:
    logger.warning("DATABASE_TLS=%s: connections to the database may reach a server that isn't verified", tls)


def schema_age(revision: str | None) -> Literal["ok", "older", "newer"]:
    """Compare the schema's revision with the newest one of this code; log each difference once."""
    if revision == KNOWN_REVISIONS[-1]:
        return "ok"
    age: Literal["older", "newer"] = "older" if revision is None or revision in KNOWN_REVISIONS else "newer"
    _warn_of_schema(age, revision)
    return age


@cache
def _warn_of_schema(age: str, revision: str | None) -> None:
    action = "run the migrations" if age == "older" else "this is expected after a rollback"
    logger.warning(
        "the database's schema is %s than the code: %s",
        age,
        action,
        extra={"context": {"revision": revision, "newest_known": Word(KNOWN_REVISIONS[-1])}},
    )


async def dispose_database() -> None:
    """Close the running loop's connections, at the end of the container's lifespan and of tests."""
    if (known := _databases.pop(asyncio.get_running_loop(), None)) is not None:
        await known.dispose()


def _maker() -> Callable[[str], Database]:
    # Imported here because many requests need no database.
    from tenantgate.database.pool import CONTAINER_POOL, LAMBDA_POOL, PooledDatabase  # noqa: PLC0415

    return partial(PooledDatabase, pool=LAMBDA_POOL if get_settings().on_lambda else CONTAINER_POOL)
