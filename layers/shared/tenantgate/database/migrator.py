"""Migrations: up, down, and which one is current. One at a time, over a direct connection as the owner.

These functions block; from async code call them in a thread. A URL is `postgresql://…`, with or without `+asyncpg`.
A connection pooler in transaction mode between here and the server won't do: the lock that keeps two migrations apart
belongs to the session.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tenantgate.errors import TenantgateError
from tenantgate.service_errors import DatabaseUnreachable, MigrationBusy, MigrationFailed, ValidationFailed
from tenantgate.settings import get_settings

# Any number will do, as long as nobody else takes it for another lock of this database.
LOCK_KEY = 0x7E4A_6A7E
LOCK_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revision before and after; None: no migration applied."""

    before: str | None
    after: str | None


def upgrade(url: str, revision: str = "head") -> Migrated:
    """Apply migrations up to `revision`.

    Raises `ValidationFailed` (no such revision), `MigrationBusy`, `DatabaseUnreachable`, `MigrationFailed` (what was
    applied before the failing one stays; the failing one leaves nothing).
    """
    return asyncio.run(_migrate(url, revision, command.upgrade))


def downgrade(url: str, revision: str) -> Migrated:
    """Undo migrations down to `revision` (`base`: all of them; `-1`: one). Raises as `upgrade` does."""
    return asyncio.run(_migrate(url, revision, command.downgrade))


def current(url: str) -> str | None:
    """The revision that the database is at."""
    return asyncio.run(_current(url))


def head() -> str | None:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def configuration() -> Config:
    """alembic's configuration, with the migrations wherever `migrations/` is on Python's path."""
    config = Config()
    config.set_main_option("script_location", str(_location()).replace("%", "%%"))
    return config


def _location() -> Path:
    found = importlib.util.find_spec("migrations")
    for location in map(Path, (found.submodule_search_locations or ()) if found else ()):
        if (location / "env.py").is_file():
            return location
    raise FileNotFoundError("no folder migrations/ with an env.py on Python's path")


def owner_url() -> str:
    """The owner's URL of the settings: `DATABASE_OWNER_URL`, else `DATABASE_URL`."""
    settings = get_settings()
    return settings.database_owner_url or settings.required_database_url


@asynccontextmanager
async def owner_connection(url: str) -> AsyncIterator[AsyncConnection]:
    """A direct connection; what PostgreSQL refuses becomes `DatabaseUnreachable` or `MigrationFailed`."""
    from tenantgate.database.dialect import DRIVER  # noqa: PLC0415  (registers the dialect)

    engine = create_async_engine(
        make_url(url).set(drivername=DRIVER),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"statement_seconds": None},
    )
    try:
        async with engine.connect() as connection:
            yield connection
    except exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(error, exc.OperationalError) or error.statement is None:
            raise DatabaseUnreachable(type(error).__name__, error=str(error.orig)) from error
        raise MigrationFailed("a statement was refused", detail={"reason": told(error)}) from error
    finally:
        await engine.dispose()


async def _current(url: str) -> str | None:
    async with owner_connection(url) as connection:
        return await connection.run_sync(_current_revision)


async def _migrate(url: str, revision: str, step: Callable[[Config, str], None]) -> Migrated:
    async with owner_connection(url) as connection:
        await _lock(connection)
        return await connection.run_sync(_step, revision, step)


async def _lock(connection: AsyncConnection) -> None:
    """Wait for the lock of this session; it goes with the connection."""
    try:
        await connection.execute(
            text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{LOCK_WAIT_SECONDS * 1000:.0f}ms"}
        )
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
        await connection.commit()
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            raise MigrationBusy("the migration lock stayed taken", waited_seconds=LOCK_WAIT_SECONDS) from error
        raise


def _step(connection: Connection, revision: str, step: Callable[[Config, str], None]) -> Migrated:
    config = configuration()
    config.attributes["connection"] = connection
    before = _current_revision(connection)
    connection.rollback()
    try:
        step(config, revision)
    except CommandError as error:
        raise ValidationFailed("no such revision", detail=[{"field": "revision", "problem": str(error)}]) from error
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise _failed(error, connection) from error
    connection.commit()
    return Migrated(before=before, after=_current_revision(connection))


def _failed(error: exc.DBAPIError, connection: Connection) -> TenantgateError:
    connection.rollback()
    return MigrationFailed(
        "a migration failed",
        detail={"stopped_at": _current_revision(connection), "reason": told(error)},
    )


def told(error: exc.DBAPIError) -> str:
    """What PostgreSQL said, without the statement."""
    return str(error.orig).split("\n", 1)[0]


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
