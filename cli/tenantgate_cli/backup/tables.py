"""The tables of the database: which there are, reading their rows as a stream, and writing them.

The owner of a table under row-level security sees all rows with `tenantgate.every_tenant` (the first migration).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tenantgate.database.connection import Connection
from tenantgate_cli.console import Failure

# Not the objects of extensions, and not alembic's table: the manifest has the revision.
_RELATIONS = """
SELECT c.oid AS number, n.nspname AS schema, c.relname AS relation, format('%I.%I', n.nspname, c.relname) AS name,
    c.relrowsecurity, c.relforcerowsecurity, pg_has_role(c.relowner, 'USAGE') AS owned,
    array(SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attnum) AS columns,
    array(SELECT quote_ident(a.attname) || CASE WHEN a.attcollation = 0 THEN '' ELSE ' COLLATE "C"' END
        FROM pg_catalog.pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, place), pg_catalog.pg_attribute a
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum
        ORDER BY k.place) AS key,
    array(SELECT DISTINCT f.confrelid FROM pg_catalog.pg_constraint f
        WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid) AS refers_to,
    EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'every_tenant'
        AND (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) = ANY (p.polroles)) AS opens
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = ANY ($1::"char"[]) AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%'
    AND n.nspname <> 'information_schema' AND c.relname <> 'alembic_version'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 4
"""
_SEES_ALL = "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user"
# Seconds that a statement waits for a lock, such as that of a migration or of a restoration by another process.
LOCK_SECONDS = 30
# Before any other statement on tables.
EVERY_TENANT = (
    "SELECT set_config('tenantgate.every_tenant', 'on', true), set_config('statement_timeout', '0', true),"
    f" set_config('lock_timeout', '{LOCK_SECONDS}s', true)"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `name` and `key` are quoted as SQL needs them; `schema`, `relation` and `columns` aren't.

    `key`: the order of its rows. `secured`: row-level security is enabled, and forced for the owner too. `opens`: its
    owner sees all rows with `every_tenant`.
    """

    number: int
    schema: str
    relation: str
    name: str
    columns: tuple[str, ...]
    key: str
    secured: tuple[bool, bool]
    owned: bool
    opens: bool
    refers_to: frozenset[int]

    @property
    def rows(self) -> str:
        """The query of its rows, in the order of the key."""
        return f"SELECT {', '.join(map(_quoted, self.columns))} FROM {self.name} AS t ORDER BY {self.key}"  # noqa: S608  (quoted)


async def tables(connection: Connection) -> list[Table]:
    """Return the tables, each after those that it refers to. Raises Failure."""
    found = {row["number"]: _table(row) for row in await connection.fetch(_RELATIONS, [b"r", b"p"])}
    order = TopologicalSorter({number: table.refers_to & found.keys() for number, table in found.items()})
    try:
        return [found[number] for number in order.static_order()]
    except CycleError as error:
        names = ", ".join(found[number].name for number in error.args[1])
        raise Failure(f"these tables refer to each other in a circle: {names}", "make a base backup instead") from None


def _table(row: Mapping[str, Any]) -> Table:
    return Table(
        row["number"],
        row["schema"],
        row["relation"],
        row["name"],
        tuple(row["columns"]),
        ", ".join(row["key"]) or 't::text COLLATE "C"',
        (row["relrowsecurity"], row["relforcerowsecurity"]),
        row["owned"],
        row["opens"],
        frozenset(row["refers_to"]),
    )


async def require_all_rows(connection: Connection, found: Iterable[Table]) -> None:
    """Raise Failure if this login doesn't see every row: a backup without them would look complete."""
    if await connection.fetchval(_SEES_ALL):
        return
    for table in found:
        enabled, forced = table.secured
        if (enabled and not table.owned) or (forced and not table.opens):
            raise Failure(
                f"this login doesn't see all rows of {table.name}: it isn't the owner that the migrations ran as",
                "give the owner's URL: --database-url, or DATABASE_OWNER_URL",
            )


async def sequences(connection: Connection) -> dict[str, tuple[int, bool]]:
    """Return the last value of each sequence, and whether it was used."""
    names = [row["name"] for row in await connection.fetch(_RELATIONS, [b"S"])]
    values: dict[str, tuple[int, bool]] = {}
    for name in names:
        row = await connection.fetchrow(f"SELECT last_value, is_called FROM {name}")  # noqa: S608  (quoted)
        values[name] = row["last_value"], row["is_called"]
    return values


async def read_rows(connection: Connection, table: Table, take: Callable[[bytes], None]) -> tuple[int, str]:
    """Pass the rows' text to `take` in pieces. Return their number and the SHA-256 of the text."""
    digest = hashlib.sha256()

    async def output(piece: bytes) -> None:
        digest.update(piece)
        take(piece)

    tag = await connection.copy_from_query(table.rows, output=output)
    return _rows_in(tag), digest.hexdigest()


async def digests(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each table and the SHA-256 of their text, which reads every row."""
    return {table.name: await read_rows(connection, table, lambda _: None) for table in await tables(connection)}


async def write_rows(connection: Connection, table: Table, pieces: AsyncIterator[bytes]) -> int:
    """Write rows from their text, and return their number."""
    tag = await connection.copy_to_table(table.relation, schema_name=table.schema, columns=table.columns, source=pieces)
    return _rows_in(tag)


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _rows_in(tag: str) -> int:
    """Return the number in the server's response, such as `COPY 12`."""
    return int(tag.rpartition(" ")[2])
