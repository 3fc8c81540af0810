"""What a failure of the driver is called here, and how much of what PostgreSQL said may be repeated."""

from __future__ import annotations

import asyncpg

from tenantgate.database.connection import is_unreachable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.unit import StatementRefused

# All that the driver and the network raise.
DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# Classes of SQLSTATE whose messages name tables, constraints and roles, but no values. Data exceptions (22) repeat the
# value, and a trigger (P0) may say anything. DETAIL repeats whole rows: it is told for no class.
_REPEATABLE = frozenset({"08", "0A", "23", "25", "28", "3D", "40", "42", "53", "55", "57"})


def failure(error: BaseException, *, lost: bool) -> DatabaseUnreachable | StatementRefused:
    """What callers get for the driver's `error`; `lost`: the connection is of no more use.

    Raise it outside of the `except` that caught `error`: whoever logs a chain would log values that `error` repeats.
    """
    name, sqlstate, words = type(error).__name__, getattr(error, "sqlstate", None), _words(error)
    if lost or isinstance(error, OSError) or is_unreachable(sqlstate):
        return DatabaseUnreachable(name, error=words)
    return StatementRefused(words or name, sqlstate=sqlstate)


def _words(error: BaseException) -> str:
    """What may be repeated of the error's message: all, or nothing."""
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in _REPEATABLE:
        return str(error.args[0])
    return ""
