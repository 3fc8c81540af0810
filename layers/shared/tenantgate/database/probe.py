"""Check that the database responds, within a time limit that holds even if the server is frozen."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import asyncpg

from tenantgate.database.connection import connect
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.unit import Checked
from tenantgate.database.vector import IS_PRESENT

_QUERY = (
    f"SELECT rolsuper OR rolbypassrls AS bypasses, {IS_PRESENT} AS vector,"  # noqa: S608  (no part comes from outside)
    " coalesce(has_table_privilege(to_regclass('alembic_version'), 'SELECT'), false) AS migrated"
    " FROM pg_catalog.pg_roles WHERE rolname = current_user"
)
# Migrations since this check exist let the application read it: an unreadable table is that of an older schema.
_REVISION = "SELECT version_num FROM alembic_version"
UNSAFE_ROLE = (
    "the role in DATABASE_URL may bypass row-level security, so tenants would not be separated: "
    "use the application's role there, and the owner's in DATABASE_OWNER_URL"
)


class Probe:
    """Connects outside the pool: a busy pool doesn't mean a dead database, and an open connection proves little.

    Concurrent callers share one check, so that many of them cause one connection at a time.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._pending: asyncio.Task[Checked] | None = None

    async def check(self, timeout: float) -> Checked:  # noqa: ASYNC109  (the caller's own deadline)
        """Return when the database responded; raise `DatabaseUnreachable` after at most `timeout` seconds."""
        if self._pending is None or self._pending.done():
            self._pending = asyncio.get_running_loop().create_task(self._query(timeout))
            # Retrieve the exception even if no caller waits for it: asyncio would log it as lost.
            self._pending.add_done_callback(lambda task: task.cancelled() or task.exception())
        pending = self._pending
        # Not awaited: a cancelled caller must not cancel the check of the others.
        await asyncio.wait({pending}, timeout=timeout)
        if not pending.done():
            raise DatabaseUnreachable("no response in time", seconds=timeout)
        if pending.cancelled():
            raise DatabaseUnreachable("the check was cancelled")
        if (error := pending.exception()) is not None:
            raise error
        return pending.result()

    async def close(self) -> None:
        """Cancel a pending check."""
        if self._pending is not None:
            self._pending.cancel()
            with suppress(asyncio.CancelledError, DatabaseUnreachable):
                await self._pending

    async def _query(self, seconds: float) -> Checked:
        deadline = time.monotonic() + seconds
        try:
            connection = await connect(self._url, attempt_seconds=seconds)
            try:
                row = await connection.fetchrow(_QUERY, timeout=_left(deadline))
                revision = await connection.fetchval(_REVISION, timeout=_left(deadline)) if row["migrated"] else None
            finally:
                # Sends the farewell without waiting for a response.
                connection.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnreachable(type(error).__name__, error=str(error)) from error
        if row["bypasses"]:
            raise DatabaseUnreachable(UNSAFE_ROLE)
        return Checked(vector=row["vector"], revision=revision)


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())
