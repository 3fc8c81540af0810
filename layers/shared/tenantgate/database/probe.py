"""Whether the database answers, within a time that is kept even when it is frozen."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import asyncpg

from tenantgate.database.connection import Connection, connect
from tenantgate.errors import DatabaseUnreachable

# The open connection gets this part of the time; what is left is for a new one, should it have gone stale.
_OPEN_CONNECTION_SHARE = 0.4
_QUESTION = "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user"


class Probe:
    """Asks over one connection of its own, so that a busy pool doesn't look like a dead database.

    Callers that come together share one question: a flood of them makes neither connections nor load.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._asking: asyncio.Task[None] | None = None

    async def check(self, timeout: float) -> None:  # noqa: ASYNC109  (the caller's deadline is what this is about)
        """Return when the database answered; raise `DatabaseUnreachable` at the latest after `timeout` seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(timeout))
        asking = self._asking
        # Waited for, not awaited: a caller that leaves doesn't take the answer from the others.
        await asyncio.wait({asking}, timeout=timeout)
        if not asking.done():
            raise DatabaseUnreachable("no answer in time", seconds=timeout)
        if asking.cancelled():
            raise DatabaseUnreachable("the check was given up")
        if (error := asking.exception()) is not None:
            raise error

    async def close(self) -> None:
        """Give up what is under way and drop the connection."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, DatabaseUnreachable):
                await self._asking
        self._drop()

    async def _ask(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        if self._connection is not None:
            try:
                await self._question(self._connection, seconds * _OPEN_CONNECTION_SHARE)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._drop()
            else:
                return
        try:
            self._connection = await connect(self._url, attempt_seconds=deadline - time.monotonic())
            await self._question(self._connection, deadline - time.monotonic())
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._drop()
            raise DatabaseUnreachable(type(error).__name__, error=str(error)) from error

    async def _question(self, connection: Connection, seconds: float) -> None:
        if await connection.fetchval(_QUESTION, timeout=max(0.001, seconds)):
            raise DatabaseUnreachable(UNSAFE_ROLE)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


UNSAFE_ROLE = (
    "the role in DATABASE_URL may bypass row-level security, so tenants would not be kept apart: "
    "use the application's role there, and the owner's in DATABASE_OWNER_URL"
)
