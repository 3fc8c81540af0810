"""Alembic's environment: use the connection of `tenantgate.database.migrator`, or open one, or only write SQL.

The URL never comes from a file: the migrator passes an open connection, and alembic's own command line uses the owner's
URL from the settings.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData

from tenantgate.database.owner import owner_connection
from tenantgate.database.owner_login import owner_url


def _run(connection: Connection) -> None:
    metadata = context.config.attributes.get("metadata")
    context.configure(
        connection=connection,
        target_metadata=metadata if isinstance(metadata, MetaData) else None,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run_on_new_connection() -> None:
    async with owner_connection(owner_url()) as connection:
        await connection.run_sync(_run)


def _write() -> None:
    context.configure(dialect_name="postgresql", transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _write()
elif isinstance(existing := context.config.attributes.get("connection"), Connection):
    _run(existing)
else:
    asyncio.run(_run_on_new_connection())
