"""The migrations' driver: SQLAlchemy's asyncpg dialect without the statements that `connection.py` rules out.

Registered as `postgresql+tenantgate`. It connects by `connection.connect`, sends no statement on a new connection,
prepares only unnamed statements, and drops a failed connection at once instead of closing it gracefully.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, override

import asyncpg
from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
    PGDialect_asyncpg,
)
from sqlalchemy.util.concurrency import await_

from tenantgate.database.connection import Connection, connect, is_lost

DRIVER = "postgresql+tenantgate"
# The oldest supported server; no generated SQL depends on a newer one.
_SERVER_VERSION = (15, 0)
_CLOSE_SECONDS = 1.0


class _AdaptedConnection(AsyncAdapt_asyncpg_connection):
    __slots__ = ("limits",)

    limits: Mapping[str, str]

    @override
    async def _start_transaction(self) -> None:
        await super()._start_transaction()  # type: ignore[no-untyped-call]
        if self._transaction is not None and self.limits:
            # Only for this transaction: the session may belong to a pooler.
            settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in self.limits.items())
            await self.driver_connection.execute(f"SELECT {settings}")

    @classmethod
    @override
    def _handle_exception_no_connection(cls, dbapi: Any, error: Exception) -> NoReturn:
        # Time-outs and socket errors become driver errors, to distinguish them from errors of the caller's code.
        if isinstance(error, OSError):
            raise dbapi.OperationalError(f"{type(error).__name__}: {error}", error) from error
        super()._handle_exception_no_connection(dbapi, error)

    @override
    def terminate(self) -> None:
        self._terminate_force_close()

    @override
    def close(self) -> None:
        connection: Connection = self.driver_connection
        try:
            await_(connection.close(timeout=_CLOSE_SECONDS))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._terminate_force_close()


class _Driver(AsyncAdapt_asyncpg_dbapi):
    @override
    def connect(self, *arg: Any, limits: Mapping[str, str], **kw: Any) -> _AdaptedConnection:
        opened = await_(
            _AdaptedConnection.create(
                self, connect(**kw), prepared_statement_cache_size=0, prepared_statement_name_func=str
            )
        )
        opened.limits = limits
        return opened


class TenantgateDialect(PGDialect_asyncpg):
    """The dialect of `create_async_engine("postgresql+tenantgate://…")`."""

    driver = "tenantgate"
    supports_statement_cache = True
    # asyncpg passes JSON as text in both directions, without a codec on the connection.
    supports_native_json_deserialization = False
    dialect_injects_custom_json_deserializer = False

    @classmethod
    @override
    def import_dbapi(cls) -> Any:
        return _Driver(asyncpg)  # type: ignore[no-untyped-call]

    @override
    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, Any]]:
        # asyncpg reads the whole URL, `sslmode` and the other parameters of libpq included.
        return [], {"url": url.set(drivername="postgresql").render_as_string(hide_password=False)}

    @override
    def initialize(self, connection: Any) -> None:
        # Instead of four queries on the first connection, in the middle of a cold start.
        self.server_version_info = _SERVER_VERSION
        self.default_schema_name = "public"
        self.default_isolation_level = "READ COMMITTED"

    @override
    def on_connect(self) -> None:
        # Instead of setting up codecs on each connection.
        return None

    @override
    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        lost: bool = super().is_disconnect(e, connection, cursor)  # type: ignore[no-untyped-call]
        return lost or is_lost(getattr(e, "sqlstate", None))


registry.register("postgresql.tenantgate", __name__, TenantgateDialect.__name__)
