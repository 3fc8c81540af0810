"""Translation of the driver's errors, with the part of PostgreSQL's message that may be logged."""

from __future__ import annotations

import asyncpg

from tenantgate.database.connection import is_unreachable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.unit import StatementRefused

# The exceptions of the driver and the network.
DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# Classes of SQLSTATE whose messages contain names of tables, constraints and roles, but no values. Data exceptions (22)
# contain the value, and a trigger's message (P0) may contain anything. DETAIL contains whole rows: it is never logged.
_REPEATABLE = frozenset({"08", "0A", "23", "25", "28", "3D", "40", "42", "53", "55", "57"})


def failure(error: BaseException, *, lost: bool) -> DatabaseUnreachable | StatementRefused:
    """Return the exception to raise for the driver's `error`; `lost`: the connection is unusable.

    Raise it outside the `except` block that caught `error`: a logged exception chain would contain `error`'s values.
    """
    name, sqlstate, words = type(error).__name__, getattr(error, "sqlstate", None), loggable_message(error)
    if lost or isinstance(error, OSError) or is_unreachable(sqlstate):
        return DatabaseUnreachable(name, error=words)
    return StatementRefused(words or name, sqlstate=sqlstate)


def loggable_message(error: BaseException) -> str:
    """Return the error's message if it may be logged, otherwise an empty text."""
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in _REPEATABLE:
        return str(error.args[0])
    return ""
