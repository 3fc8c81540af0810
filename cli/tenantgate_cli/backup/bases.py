"""Bases: copies of a server's files, from which the write-ahead log continues."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

from tenantgate.database.connection import connect
from tenantgate_cli.backup.dumps import require_known
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.manifest import Manifest
from tenantgate_cli.backup.programs import connected, program
from tenantgate_cli.backup.wal_stream import Origin, origin
from tenantgate_cli.console import Failure, printable

FILE = "base.tar.age"
_PIECE = 1 << 20


def take_base(url: str, folder: BackupFolder, found: Origin) -> Manifest:
    """Add a base of the server to the folder. Raises Failure, `OSError`, asyncpg's errors.

    Its files are consistent with the log that it contains. `found`: the server.
    """
    revision = asyncio.run(_fetch(url, "SELECT version_num FROM public.alembic_version"))
    require_known(str(revision))
    # The base begins at this segment or a later one.
    begun = origin(url).server
    with folder.unfinished("base") as unfinished:
        with unfinished.writer(FILE) as writer, tempfile.TemporaryFile() as log:
            at = connected(url, application="tenantgate_base")
            command = [str(program("pg_basebackup", version=found.major)), "-d", at.url, "--no-password"]
            command += ["-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast"]
            with subprocess.Popen(
                command, env=at.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            ) as process:
                assert process.stdout is not None  # noqa: S101
                try:
                    while piece := process.stdout.read(_PIECE):
                        writer.write(piece)
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                log.seek(0)
                lines = log.read().decode(errors="replace").splitlines() or ["no reason given"]
                raise Failure(f"pg_basebackup failed: {printable(lines[-1])}", "allow replication in pg_hba.conf")
        moment = asyncio.run(_fetch(url, "SELECT clock_timestamp()"))
        assert isinstance(moment, datetime)  # noqa: S101
        manifest = Manifest(
            unfinished.name,
            "base",
            moment.astimezone(UTC),
            str(revision),
            version("tenantgate"),
            found.version,
            {FILE: writer.sealed},
            server=replace(found.server, first_segment=begun.first_segment),
        )
        unfinished.complete(manifest)
    return manifest


async def _fetch(url: str, statement: str) -> object:
    connection = await connect(url, statement_seconds=10)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
