"""The SQL of each migration, as the migrator runs it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Literal, NamedTuple

from alembic import command
from alembic.script import ScriptDirectory

from tenantgate.database.migrator import configuration, transaction_limits

Direction = Literal["upgrade", "downgrade"]


class MigrationSql(NamedTuple):
    """One migration in one direction, after the limits that the migrator sets for each transaction."""

    revision: str
    direction: Direction
    sql: str
    limits: str = ""


def migration_sql() -> Iterator[MigrationSql]:
    """Yield the SQL of the migrations on Python's path, oldest first."""
    limits = "".join(f"SET {name} = '{value}';\n" for name, value in transaction_limits().items())
    for script in reversed(list(ScriptDirectory.from_config(configuration()).walk_revisions())):
        before = script.down_revision if isinstance(script.down_revision, str) else "base"
        spans: dict[Direction, str] = {
            "upgrade": f"{before}:{script.revision}",
            "downgrade": f"{script.revision}:{before}",
        }
        for direction, span in spans.items():
            yield MigrationSql(script.revision, direction, limits + _written(direction, span), limits)


def _written(direction: Direction, span: str) -> str:
    config = configuration()
    config.output_buffer = written = io.StringIO()
    step = command.upgrade if direction == "upgrade" else command.downgrade
    step(config, span, sql=True)
    return written.getvalue()
