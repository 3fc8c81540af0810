"""How alembic runs here: on the connection that `tenantgate.database.migrator` holds, else on one of its own.

The URL never comes from a file: the migrator hands over an open connection, and alembic's own command line gets the
owner's URL of the settings.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData

from tenantgate.database.migrator import owner_connection, owner_url


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


async def _run_alone() -> None:
    async with owner_connection(owner_url()) as connection:
        await connection.run_sync(_run)


if isinstance(handed_over := context.config.attributes.get("connection"), Connection):
    _run(handed_over)
else:
    asyncio.run(_run_alone())
