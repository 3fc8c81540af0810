"""Dumps: every row of the database as one snapshot shows it, and its restoration in one transaction.

A dump has no schema: the restoration runs the migrations up to the dump's revision, so that tables, roles, grants and
policies are those of this version's code, and belong to the owner of the new database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from tenantgate.database import migrator, owner
from tenantgate.database.connection import connect
from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate_cli.backup.after_restore import end_all_credentials
from tenantgate_cli.backup.erasures import NO_LEDGER, Ledger, replay
from tenantgate_cli.backup.folder import BackupFolder, UnfinishedBackup
from tenantgate_cli.backup.manifest import DumpedTable, Manifest
from tenantgate_cli.backup.sealed_files import Sealed
from tenantgate_cli.backup.tables import (
    EVERY_TENANT,
    Table,
    read_rows,
    require_all_rows,
    sequences,
    tables,
    write_rows,
)
from tenantgate_cli.console import Failure

type Progress = Callable[[str], None]
_CONNECT_SECONDS = 10.0
_REVISION = "SELECT version_num FROM public.alembic_version"
_HAS_REVOCATIONS = "SELECT to_regclass('public.revocations') IS NOT NULL"
# Tables that the migrations fill.
_FILLED_BY_MIGRATIONS = ("revocation_epoch",)
# Their triggers keep rows and queue events: a restoration replaces all of these tables with the backup's rows.
_AUDIT_TABLES = "public.audit_"
_LOCK = f"SELECT pg_try_advisory_xact_lock({owner.LOCK_KEY})"
_LOCK_POLL_SECONDS = 0.2


class RestoreFailed(Failure):
    """The restoration began and failed. No row was changed, but the schema may have been created."""

    exit_code = 3


def take_dump(url: str, folder: BackupFolder, progress: Progress) -> Manifest:
    """Add a dump of the database to the folder. Raises Failure, `OSError`, asyncpg's errors."""
    with folder.unfinished("dump") as unfinished:
        manifest = asyncio.run(_dump(url, unfinished, progress))
        unfinished.complete(manifest)
    return manifest


async def _dump(url: str, unfinished: UnfinishedBackup, progress: Progress) -> Manifest:
    connection = await connect(url, attempt_seconds=_CONNECT_SECONDS, statement_seconds=None)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(EVERY_TENANT)
            revision = await _revision(connection)
            found = await tables(connection)
            await require_all_rows(connection, found)
            # Until the end, no migration can change them.
            await connection.execute(f"LOCK TABLE {', '.join(table.name for table in found)} IN ACCESS SHARE MODE")
            moment = await connection.fetchval("SELECT transaction_timestamp()")
            files: dict[str, Sealed] = {}
            dumped = []
            for number, table in enumerate(found, start=1):
                file = f"{number:04}.copy.age"
                with unfinished.writer(file) as writer:
                    rows, digest = await read_rows(connection, table, writer.write)
                files[file] = writer.sealed
                dumped.append(DumpedTable(table.name, file, table.columns, table.key, table.secured, rows, digest))
                progress(f"{table.name}: {rows:,} rows, {writer.sealed.size:,} bytes")
            last = await sequences(connection)
            postgres = str(await connection.fetchval("SHOW server_version"))
        if await connection.fetchval(_REVISION) != revision:
            raise Failure("a migration changed the schema during the backup", "run it again")
    finally:
        await connection.close()
    made_by = version("tenantgate")
    return Manifest(unfinished.name, "dump", moment, revision, made_by, postgres, files, tuple(dumped), sequences=last)


async def _revision(connection: Any) -> str:
    if not await connection.fetchval(_HAS_REVOCATIONS):
        raise Failure("the database's schema is older than this version, or it is empty", "tenantgate migrate up")
    revision = str(await connection.fetchval(_REVISION))
    require_known(revision)
    return revision


def require_known(revision: str) -> None:
    """Raise Failure if a newer version made the schema."""
    if revision not in KNOWN_REVISIONS:
        raise Failure(
            f"a newer Tenantgate made the schema: the newest revision that this one knows is {KNOWN_REVISIONS[-1]}",
            "use the version that made it",
        )


def require_restorable(url: str, folder: BackupFolder, manifest: Manifest, *, overwrite: bool) -> None:
    """Raise Failure unless the dump is whole, and the database of `url` is empty or may be overwritten."""
    require_known(manifest.revision)
    folder.require_files(manifest)
    asyncio.run(_require_room(url, manifest, overwrite=overwrite))


def restore_dump(
    url: str,
    folder: BackupFolder,
    manifest: Manifest,
    *,
    overwrite: bool,
    progress: Progress,
    ledger: Ledger = NO_LEDGER,
) -> None:
    """Restore a dump into the database of `url`, its owner's, and migrate it to this version's schema.

    `overwrite`: delete the rows that it has. `ledger`: erasures, which are repeated. Call `require_restorable` before.
    Raises Failure.
    """
    migrator.upgrade(url, manifest.revision)
    progress(f"schema at revision {manifest.revision}")
    asyncio.run(_load(url, folder, manifest, ledger, overwrite=overwrite, progress=progress))
    migrator.upgrade(url)


async def _require_room(url: str, manifest: Manifest, *, overwrite: bool) -> None:
    """Raise Failure unless the database has no rows, or they may be deleted, and its schema is no other."""
    connection = await connect(url, attempt_seconds=_CONNECT_SECONDS, statement_seconds=None)
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(EVERY_TENANT)
            found = await tables(connection)
            await require_all_rows(connection, found)
            if not overwrite:
                await _require_empty(connection, found)
            revision = None
            if await connection.fetchval("SELECT to_regclass('public.alembic_version') IS NOT NULL"):
                revision = await connection.fetchval(_REVISION)
            if revision is None and found:
                raise Failure("the database has tables that Tenantgate didn't make", "give a new database")
            if revision not in (None, manifest.revision):
                raise Failure(
                    f"the database is at revision {revision}, and the backup is of {manifest.revision}",
                    "give a new database without tables",
                )
    finally:
        await connection.close()


async def _require_empty(connection: Any, found: Sequence[Table]) -> None:
    for table in found:
        if table.relation not in _FILLED_BY_MIGRATIONS and await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {table.name})"  # noqa: S608  (quoted)
        ):
            raise Failure(
                f"the database isn't empty: {table.name} has rows",
                "give an empty database, or --overwrite to delete all of its rows",
            )


async def _load(
    url: str,
    folder: BackupFolder,
    manifest: Manifest,
    ledger: Ledger,
    *,
    overwrite: bool,
    progress: Progress,
) -> None:
    connection = await connect(url, attempt_seconds=_CONNECT_SECONDS, statement_seconds=None)
    try:
        async with _locked(connection):
            await connection.execute(EVERY_TENANT)
            found = {table.name: table for table in await tables(connection)}
            _require_same(found, manifest)
            # No other connection sees the tables until everything is verified.
            names = ", ".join(found)
            await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            if not overwrite:
                await _require_empty(connection, list(found.values()))
            kept = [name for name in found if name.startswith(_AUDIT_TABLES)]
            for name in kept:
                await connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
            await connection.execute(f"TRUNCATE {names}")
            for dumped in manifest.tables:
                await _load_table(connection, found[dumped.name], dumped, folder, manifest)
                progress(f"{dumped.name}: {dumped.rows:,} rows, verified")
            for name, (value, used) in manifest.sequences.items():
                await connection.execute("SELECT setval($1::text::regclass, $2, $3)", name, value, used)
            for name in kept:
                await connection.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")
            progress((await replay(connection, ledger)).words)
            await end_all_credentials(connection)
            progress("all sessions and tokens ended")
    finally:
        await connection.close()


@asynccontextmanager
async def _locked(connection: Any) -> AsyncIterator[None]:
    """Begin a transaction with the lock of migrations. Raises Failure if it isn't released in time.

    Each attempt is a separate transaction: a statement that waits keeps a snapshot, for whose end
    `CREATE INDEX CONCURRENTLY` in the migration that has the lock would wait (`database.owner`).
    """
    deadline = time.monotonic() + owner.LOCK_WAIT_SECONDS
    while True:
        async with connection.transaction():
            if await connection.fetchval(_LOCK):
                yield
                return
        if time.monotonic() >= deadline:
            raise Failure(
                f"a migration or another restoration had the database's lock for {owner.LOCK_WAIT_SECONDS:g} s",
                "wait until it ends, and run this again",
            )
        await asyncio.sleep(_LOCK_POLL_SECONDS)


def _require_same(found: dict[str, Table], manifest: Manifest) -> None:
    """Raise Failure unless the migrations made the tables of the manifest, with the same row-level security."""
    here = {table.name: (table.columns, table.secured) for table in found.values()}
    there = {table.name: (table.columns, table.secured) for table in manifest.tables}
    different = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if different:
        raise Failure(
            f"the migrations make other tables than the backup has: {', '.join(different)}",
            "restore with the version and the migrations that made the backup",
        )


async def _load_table(
    connection: Any, table: Table, dumped: DumpedTable, folder: BackupFolder, manifest: Manifest
) -> None:
    # COPY doesn't write to a table under row-level security. No other transaction sees this table.
    if table.secured[1]:
        await connection.execute(f"ALTER TABLE {table.name} NO FORCE ROW LEVEL SECURITY")
    with folder.reader(manifest, dumped.file) as reader:

        async def pieces() -> AsyncIterator[bytes]:
            while piece := reader.read():
                yield piece

        rows = await write_rows(connection, table, pieces())
    if table.secured[1]:
        await connection.execute(f"ALTER TABLE {table.name} FORCE ROW LEVEL SECURITY")
    if (rows, (await read_rows(connection, table, lambda _: None))) != (dumped.rows, (dumped.rows, dumped.sha256)):
        raise Failure(f"{table.name} has other rows than the backup", "nothing was restored: restore another backup")
