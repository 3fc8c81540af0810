"""One connection to PostgreSQL: opening it, the statements that it must not send, and when it is lost.

A proxy may pool transactions between this process and the server (RDS Proxy, PgBouncer). There, session state pins the
connection or leaks into another client's session, so none is ever created: no `SET` or `RESET`, no named prepared
statement, no session-wide `set_config`.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, override

import asyncpg

from tenantgate import time_limits
from tenantgate.database.rds_login import RdsLogin, rds_login

CONNECT_ATTEMPTS = 3
CONNECT_ATTEMPT_SECONDS = time_limits.DATABASE_CONNECT
CONNECT_BACKOFF_SECONDS = 0.1
# A statement that takes longer, for example on a frozen server, loses its connection.
STATEMENT_SECONDS = time_limits.DATABASE_STATEMENT

# SQLSTATEs (PostgreSQL, appendix A) after which a connection is unusable: connection exceptions (class 08), a server
# that shuts down, has crashed or is starting (57P0x), idle too long (57P05), and read-only, as after a failover.
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25006", "25P03"})
# SQLSTATEs of a server that can't serve this process: too many connections, no such login or database; and those of a
# busy one: a statement, or the wait for a row that others hold, took longer than the role's limit.
_REFUSED = frozenset({"53300", "53400", "28000", "28P01", "3D000", "57014", "55P03"})

# Arrays by their elements: the types' names and fixed numbers (PostgreSQL's `pg_type.dat`). asyncpg knows the elements,
# and looks up any other type by a separate query on each connection.
_ARRAYS = {
    "text": (1009, 25),
    "bytea": (1001, 17),
    "uuid": (2951, 2950),
    "int4": (1007, 23),
    "int8": (1016, 20),
    "timestamptz": (1185, 1184),
}
_ARRAY_TYPES = [
    {
        "oid": number,
        "name": f"_{name}",
        "ns": "pg_catalog",
        "kind": b"b",
        "elemtype": element,
        "elemdelim": ",",
        **dict.fromkeys(("basetype", "range_subtype", "attrtypoids")),
    }
    for name, (number, element) in _ARRAYS.items()
]


def is_lost(sqlstate: str | None) -> bool:
    """Tell whether an error with this SQLSTATE makes its connection unusable."""
    return sqlstate is not None and (sqlstate.startswith("08") or sqlstate in _LOST)


def is_unreachable(sqlstate: str | None) -> bool:
    """Tell whether an error with this SQLSTATE means that the database can't serve, not that the statement is wrong."""
    return is_lost(sqlstate) or sqlstate in _REFUSED


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's connection without the statements that asyncpg sends on its own."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        # With `jit`, asyncpg would switch it off and on for the session when it looks up an unknown type.
        self._server_caps = self._server_caps._replace(jit=False)  # type: ignore[has-type]
        self._protocol.get_settings().register_data_types(_ARRAY_TYPES)
        # By the text of a statement, which is one of the product's constants.
        self._described: dict[str, object] = {}

    @override
    async def _get_statement(self, query: str, timeout: float | None, **options: Any) -> object:
        # asyncpg would ask for the types of a statement before each execution, in a separate round trip, and then
        # send the text again. A connection asks for them once.
        known = self._described.get(query)
        if known is not None and "named" not in options:
            return known
        described = await super()._get_statement(query, timeout, **options)
        if "named" not in options:
            self._described[query] = described
        return described

    @override
    async def _do_execute(self, query: str, *args: Any, **options: Any) -> Any:
        try:
            return await super()._do_execute(query, *args, **options)
        except BaseException:
            # Its types may have changed since.
            self._described.pop(query, None)
            raise

    @override
    def get_reset_query(self) -> str:
        return ""

    def _cancel_current_command(self, waiter: object, cancel_waiter: object = None) -> None:
        # asyncpg would open a second connection to cancel the statement, and let every later call wait for it. A server
        # that doesn't respond on the first connection won't on the second. The role's `statement_timeout` ends the
        # statement.
        self._loop.call_soon(self.terminate)


async def connect(
    url: str,
    *,
    attempt_seconds: float = CONNECT_ATTEMPT_SECONDS,
    statement_seconds: float | None = STATEMENT_SECONDS,
) -> Connection:
    """Connect to `postgresql://…`, in up to three attempts with exponential backoff while the server refuses or starts.

    The URL may begin with `postgresql+asyncpg://`, as in the settings. asyncpg reads its parameters; `tls.py` defines
    `sslmode=verify-full`. On RDS, a user without a password logs in with an IAM token, a new one for each attempt.
    A time-out isn't tried again: the caller waits at most `attempt_seconds`, and about 0.4 s if the server refuses.
    `statement_seconds` limits each statement on the connection; None: no limit (migrations).
    Raises the error of the last attempt: `OSError` (including `TimeoutError`) or `asyncpg.PostgresError`.
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
        # Random, so that processes that lost a server together don't reconnect together.
        await asyncio.sleep(CONNECT_BACKOFF_SECONDS * 2**attempt * random.uniform(0.7, 1.3))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")


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
