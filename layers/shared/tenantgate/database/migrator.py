"""Migrations, run one at a time as the database's owner.

These functions block; call them in a thread from async code. A URL is `postgresql://…`, with or without `+asyncpg`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tenantgate.database.errors import DatabaseUnreachable, MigrationBusy, MigrationFailed
from tenantgate.database.revisions import resolve
from tenantgate.database.vector import CREATE_WHERE_AVAILABLE, IS_PRESENT
from tenantgate.errors.base import TenantgateError
from tenantgate.settings.environment import get_settings

logger = logging.getLogger(__name__)

# An arbitrary number that no other program uses for a lock of this database.
LOCK_KEY = 0x7E4A_6A7E
LOCK_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revision before and after; None: no migration applied."""

    before: str | None
    after: str | None


def upgrade(url: str, revision: str = "head") -> Migrated:
    """Apply migrations up to `revision`; nothing if the database is past it.

    Raises `ValidationFailed` (no such revision), `MadeByNewer`, `MigrationBusy`, `DatabaseUnreachable`,
    `MigrationFailed` (the failed migration is rolled back; those before it stay applied).
    """
    return asyncio.run(_migrate(url, revision, command.upgrade))


def downgrade(url: str, revision: str) -> Migrated:
    """Undo migrations down to `revision` (`base`: all of them; `-1`: one). Raises as `upgrade` does."""
    return asyncio.run(_migrate(url, revision, command.downgrade))


def current(url: str) -> str | None:
    """Return the database's revision."""
    return asyncio.run(_current(url))


def head() -> str | None:
    """Return the newest revision in `migrations/`."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def revisions() -> list[str]:
    """Return the revisions in `migrations/`, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()][::-1]


def configuration() -> Config:
    """Return alembic's configuration, with the `migrations/` folder found on Python's path."""
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
    """Return the owner's URL from the settings: `DATABASE_OWNER_URL`, or `DATABASE_URL` if that isn't set."""
    settings = get_settings()
    return settings.database_owner_url or settings.required_database_url


@asynccontextmanager
async def owner_connection(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a new connection; PostgreSQL's errors become `DatabaseUnreachable` or `MigrationFailed`."""
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
        raise MigrationFailed("a statement was refused", detail={"reason": server_message(error)}) from error
    finally:
        await engine.dispose()


async def _current(url: str) -> str | None:
    async with owner_connection(url) as connection:
        return await connection.run_sync(_current_revision)


async def _migrate(url: str, revision: str, step: Callable[[Config, str], None]) -> Migrated:
    async with locked_connection(url) as connection:
        migrated = await connection.run_sync(_step, revision, step)
        if step is command.upgrade:
            await _enable_vector(connection)
            await _show_revision(connection)
        return migrated


@asynccontextmanager
async def locked_connection(url: str) -> AsyncIterator[AsyncConnection]:
    """Connect as `owner_connection` does, with a lock against other migrations and login changes of this database.

    The lock belongs to a transaction on a second connection. A session's lock would stay with a server connection of a
    transaction pooler (PgBouncer, RDS Proxy): never released, and without effect on other clients.
    Raises `MigrationBusy`.
    """
    async with owner_connection(url) as keeper:
        await _lock(keeper)
        async with owner_connection(url) as connection:
            yield connection


async def _lock(connection: AsyncConnection) -> None:
    """Wait for the lock; the end of this connection's transaction releases it."""
    try:
        await connection.execute(
            text(
                "SELECT set_config('lock_timeout', :limit, true),"
                " set_config('idle_in_transaction_session_timeout', '0', true)"
            ),
            {"limit": f"{LOCK_WAIT_SECONDS * 1000:.0f}ms"},
        )
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            raise MigrationBusy(
                "the migration lock was not released in time", waited_seconds=LOCK_WAIT_SECONDS
            ) from error
        raise


async def _enable_vector(connection: AsyncConnection) -> None:
    # At each upgrade: pgvector may have been installed on the server since the last one.
    await connection.exec_driver_sql(CREATE_WHERE_AVAILABLE)
    await connection.commit()
    if not await connection.scalar(text(f"SELECT {IS_PRESENT}")):
        logger.warning("this database has no pgvector: the server doesn't offer it, or the owner may not create it")


async def _show_revision(connection: AsyncConnection) -> None:
    # The readiness check compares it with the code's.
    await connection.exec_driver_sql("GRANT SELECT ON alembic_version TO tenantgate_app")
    await connection.commit()


def _step(connection: Connection, revision: str, step: Callable[[Config, str], None]) -> Migrated:
    config = configuration()
    config.attributes["connection"] = connection
    before = _current_revision(connection)
    connection.rollback()
    target = resolve(revision, at=before, known=revisions(), down=step is command.downgrade)
    try:
        step(config, target)
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
        detail={"stopped_at": _current_revision(connection), "reason": server_message(error)},
    )


def server_message(error: exc.DBAPIError) -> str:
    """Return PostgreSQL's message without the statement."""
    return str(error.orig).split("\n", 1)[0]


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
