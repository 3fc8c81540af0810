"""One connection to PostgreSQL: how it is opened, what it may not send, and when it is given up.

Between us and the server there may be a proxy that pools transactions (RDS Proxy, PgBouncer). Whatever belongs to a
session there pins its connection or leaks into somebody else's, so nothing of the kind is ever sent: no `SET` or
`RESET`, no named prepared statement, no session-wide `set_config`.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import override

import asyncpg

from tenantgate.database.rds_login import RdsLogin, rds_login

CONNECT_ATTEMPTS = 3
CONNECT_ATTEMPT_SECONDS = 3.0
CONNECT_BACKOFF_SECONDS = 0.1
# A statement that takes longer, on a frozen server say, costs its connection: nothing more is waited for.
STATEMENT_SECONDS = 5.0

# SQLSTATEs (PostgreSQL, appendix A) after which a connection is of no more use: connection exceptions (class 08),
# shut down, crashed or starting (57P0x), idle too long (57P05), and read-only, which is what a failover leaves behind.
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25006", "25P03"})
# And those that say that the server can't serve us at all: too many connections, no such login or database.
_REFUSED = frozenset({"53300", "53400", "28000", "28P01", "3D000", "57014"})


def is_lost(sqlstate: str | None) -> bool:
    """Whether an error with this SQLSTATE ends the connection it came from."""
    return sqlstate is not None and (sqlstate.startswith("08") or sqlstate in _LOST)


def is_unreachable(sqlstate: str | None) -> bool:
    """Whether an error with this SQLSTATE means that the database can't serve, rather than that we asked wrongly."""
    return is_lost(sqlstate) or sqlstate in _REFUSED


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's connection, without what it would send by itself."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        # Looking up a type that asyncpg doesn't know would switch `jit` off and on for the session.
        self._server_caps = self._server_caps._replace(jit=False)  # type: ignore[has-type]

    @override
    def get_reset_query(self) -> str:
        return ""

    def _cancel_current_command(self, waiter: object, cancel_waiter: object = None) -> None:
        # asyncpg would open a second connection to ask the server to cancel, and make everything that follows wait for
        # it. A server that doesn't answer the first won't answer the second. It stops the statement by itself when its
        # time is up (`statement_timeout` of the role).
        self._loop.call_soon(self.terminate)


async def connect(
    url: str,
    *,
    attempt_seconds: float = CONNECT_ATTEMPT_SECONDS,
    statement_seconds: float | None = STATEMENT_SECONDS,
) -> Connection:
    """A connection to `postgresql://…`, tried three times with exponential backoff while the server refuses or starts.

    The URL may say `postgresql+asyncpg://…`, as the settings do. asyncpg reads its parameters; what
    `sslmode=verify-full` means is in `tls.py`. A user without a password logs in on RDS with an IAM token, a new one
    for each try.
    A time-out is not tried again, so the caller waits `attempt_seconds` at most, and about 0.4 s for a refusal.
    `statement_seconds`: how long each statement may take on it; None: as long as it likes (migrations).
    Raises what the last try raised: `OSError` (`TimeoutError` among them) or `asyncpg.PostgresError`.
    """
    login = await rds_login(url)
    deadline = time.monotonic() + attempt_seconds
    for attempt in range(CONNECT_ATTEMPTS):
        try:
            seconds = max(0.001, deadline - time.monotonic())
            return await _connect_once(url, login, seconds=seconds, statement_seconds=statement_seconds)
        except TimeoutError:
            raise
        except (OSError, asyncpg.PostgresError) as error:
            if attempt == CONNECT_ATTEMPTS - 1 or not _worth_another_try(error):
                raise
        # Spread, so that the processes that lost a server together don't come back together.
        await asyncio.sleep(CONNECT_BACKOFF_SECONDS * 2**attempt * random.uniform(0.7, 1.3))  # noqa: S311
    raise AssertionError("the last try returns or raises")


async def _connect_once(url: str, login: RdsLogin, *, seconds: float, statement_seconds: float | None) -> Connection:
    connection = await asyncpg.connect(
        f"postgresql://{url.partition('://')[2]}",
        **login,
        timeout=seconds,
        command_timeout=statement_seconds,
        statement_cache_size=0,
        connection_class=Connection,
        server_settings={"application_name": "tenantgate"},
    )
    assert isinstance(connection, Connection)  # noqa: S101
    return connection


def _worth_another_try(error: OSError | asyncpg.PostgresError) -> bool:
    if isinstance(error, OSError):
        return True
    return is_lost(error.sqlstate) or error.sqlstate == "53300"
