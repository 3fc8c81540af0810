"""Migrations, run one at a time as the database's owner.

These functions block; call them in a thread from async code. A URL is `postgresql://…`, with or without `+asyncpg`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util.concurrency import await_

from tenantgate.database.errors import MigrationFailed
from tenantgate.database.owner import locked_connection, owner_connection, server_message, sqlstate
from tenantgate.database.revisions import resolve
from tenantgate.database.roles import open_application_login
from tenantgate.database.vector import CREATE_WHERE_AVAILABLE, IS_PRESENT
from tenantgate.errors.base import TenantgateError

logger = logging.getLogger(__name__)

# Statements of the application queue behind a migration that waits for a table: it gives way after this time, and comes
# back. Shorter than PostgreSQL's `deadlock_timeout` (1 s), so that it also gives way in a deadlock.
LOCK_TIMEOUT_SECONDS = 0.3
LOCK_ATTEMPTS_SECONDS = 60.0
# Without a limit of the caller's own.
STATEMENT_SECONDS = 900.0
# A Lambda environment may be frozen in the middle of a transaction.
_IDLE_SECONDS = 60
# The lock's time is over, or a deadlock (PostgreSQL, appendix A).
_GIVES_WAY = frozenset({"55P03", "40P01"})
_SHOW_REVISION = "GRANT SELECT ON alembic_version TO tenantgate_app"


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revision before and after; None: no migration applied."""

    before: str | None
    after: str | None


def upgrade(
    url: str, revision: str = "head", *, application_url: str | None = None, seconds: float | None = None
) -> Migrated:
    """Apply migrations up to `revision`; nothing if the database is past it.

    The user of `application_url` then gets its login (`roles.ensure_login`) under the same lock. `seconds` limits
    everything. Raises `ValidationFailed` (no such revision), `MadeByNewer`, `MigrationBusy`, `DatabaseUnreachable`,
    `MigrationFailed` (the failed migration is rolled back; those before it stay applied).
    """
    return asyncio.run(_migrate(url, revision, command.upgrade, application_url, seconds))


def downgrade(url: str, revision: str, *, seconds: float | None = None) -> Migrated:
    """Undo migrations down to `revision` (`base`: all of them; `-1`: one). Raises as `upgrade` does."""
    return asyncio.run(_migrate(url, revision, command.downgrade, None, seconds))


def upgrade_sql(url: str, revision: str = "head") -> str:
    """Return the SQL that `upgrade` would run in this database, without running it; empty if nothing is to do."""
    return asyncio.run(_sql(url, revision))


def current(url: str) -> str | None:
    """Return the database's revision."""
    return asyncio.run(_current(url))


def head() -> str | None:
    """Return the newest revision in `migrations/`."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def revisions() -> list[str]:
    """Return the revisions in `migrations/`, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()][::-1]


def transaction_limits(seconds: float | None = None) -> dict[str, str]:
    """Return PostgreSQL's settings for each transaction of a migration; `seconds` limits a statement."""
    # The server's own limits end what a client that has disappeared has begun.
    return {
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS * 1000:.0f}ms",
        "statement_timeout": f"{(seconds or STATEMENT_SECONDS) * 1000:.0f}ms",
        "idle_in_transaction_session_timeout": f"{_IDLE_SECONDS}s",
    }


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


async def _current(url: str) -> str | None:
    async with owner_connection(url) as connection:
        return await connection.run_sync(_current_revision)


async def _migrate(
    url: str,
    revision: str,
    step: Callable[[Config, str], None],
    application_url: str | None,
    seconds: float | None,
) -> Migrated:
    limit = asyncio.timeout(seconds)
    try:
        async with limit, locked_connection(url, transaction_limits(seconds)) as connection:
            migrated = await connection.run_sync(_step, revision, step)
            if step is command.upgrade:
                await _enable_vector(connection)
                await _show_revision(connection)
            if application_url is not None:
                await open_application_login(connection, url, application_url)
            return migrated
    # Outside a transaction, alembic uses the connection again after it was closed in the middle of a statement.
    except (TimeoutError, exc.PendingRollbackError) as error:
        if not limit.expired():
            raise
        raise MigrationFailed(
            "the migration took too long", detail={"reason": f"it was stopped after {seconds:.0f} s"}
        ) from error


async def _sql(url: str, revision: str) -> str:
    at, known = await _current(url), revisions()
    target = resolve(revision, at=at, known=known, down=False)
    if at is not None and known.index(target) <= known.index(at):
        return ""
    config = configuration()
    config.output_buffer = written = io.StringIO()
    command.upgrade(config, target if at is None else f"{at}:{target}", sql=True)
    return f"{written.getvalue()}{CREATE_WHERE_AVAILABLE.strip()};\n\n{_SHOW_REVISION};\n"


async def _enable_vector(connection: AsyncConnection) -> None:
    # At each upgrade: pgvector may have been installed on the server since the last one.
    await connection.exec_driver_sql(CREATE_WHERE_AVAILABLE)
    await connection.commit()
    if not await connection.scalar(text(f"SELECT {IS_PRESENT}")):
        logger.warning("this database has no pgvector: the server doesn't offer it, or the owner may not create it")


async def _show_revision(connection: AsyncConnection) -> None:
    # The readiness check compares it with the code's.
    await connection.exec_driver_sql(_SHOW_REVISION)
    await connection.commit()


def _step(connection: Connection, revision: str, step: Callable[[Config, str], None]) -> Migrated:
    config = configuration()
    config.attributes["connection"] = connection
    before = _current_revision(connection)
    connection.rollback()
    target = resolve(revision, at=before, known=revisions(), down=step is command.downgrade)
    give_up_at = time.monotonic() + LOCK_ATTEMPTS_SECONDS
    while True:
        try:
            step(config, target)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            if sqlstate(error) not in _GIVES_WAY or time.monotonic() >= give_up_at:
                raise _failed(error, connection) from error
            connection.rollback()
            logger.warning("a migration gave way to the application, and tries again")
            await_(asyncio.sleep(random.uniform(0.2, 1.0)))  # noqa: S311  (jitter, not a secret)
        else:
            connection.commit()
            return Migrated(before=before, after=_current_revision(connection))


def _failed(error: exc.DBAPIError, connection: Connection) -> TenantgateError:
    connection.rollback()
    return MigrationFailed(
        "a migration failed",
        detail={"stopped_at": _current_revision(connection), "reason": server_message(error)},
    )


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
