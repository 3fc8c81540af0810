"""Checks that the database responds, within a time that is kept even when it is frozen."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import asyncpg

from tenantgate.database.connection import connect
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.unit import Checked
from tenantgate.database.vector import IS_PRESENT

_QUESTION = (
    f"SELECT rolsuper OR rolbypassrls AS bypasses, {IS_PRESENT} AS vector"  # noqa: S608  (no part comes from outside)
    " FROM pg_catalog.pg_roles WHERE rolname = current_user"
)
UNSAFE_ROLE = (
    "the role in DATABASE_URL may bypass row-level security, so tenants would not be kept apart: "
    "use the application's role there, and the owner's in DATABASE_OWNER_URL"
)


class Probe:
    """Connects and asks, outside the pool: a busy pool isn't a dead database, and an open connection proves little.

    Callers that come together share one question, so a flood of them makes one connection at a time.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._asking: asyncio.Task[Checked] | None = None

    async def check(self, timeout: float) -> Checked:  # noqa: ASYNC109  (the caller's deadline is what this is about)
        """Return when the database responded; raise `DatabaseUnreachable` at the latest after `timeout` seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(timeout))
            # Asked for its failure even when nobody waits any more, so that asyncio doesn't report it as lost.
            self._asking.add_done_callback(lambda asking: asking.cancelled() or asking.exception())
        asking = self._asking
        # Waited for, not awaited: a caller that leaves doesn't take the answer from the others.
        await asyncio.wait({asking}, timeout=timeout)
        if not asking.done():
            raise DatabaseUnreachable("no answer in time", seconds=timeout)
        if asking.cancelled():
            raise DatabaseUnreachable("the check was given up")
        if (error := asking.exception()) is not None:
            raise error
        return asking.result()

    async def close(self) -> None:
        """Give up what is under way."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, DatabaseUnreachable):
                await self._asking

    async def _ask(self, seconds: float) -> Checked:
        deadline = time.monotonic() + seconds
        try:
            connection = await connect(self._url, attempt_seconds=seconds)
            try:
                row = await connection.fetchrow(_QUESTION, timeout=max(0.001, deadline - time.monotonic()))
            finally:
                # Says good-bye, but doesn't wait for an answer.
                connection.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnreachable(type(error).__name__, error=str(error)) from error
        if row["bypasses"]:
            raise DatabaseUnreachable(UNSAFE_ROLE)
        return Checked(vector=row["vector"])
