"""Restore a server's files from a base and its write-ahead log, at a moment or at the end of the log.

PostgreSQL replays the log on a private socket, where only this process can reach it. Before any other user can, all
credentials end (`after_restore.py`). The files appear under their name when everything is done.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

from tenantgate.database.connection import connect
from tenantgate_cli.backup.after_restore import end_all_credentials
from tenantgate_cli.backup.bases import FILE
from tenantgate_cli.backup.dumps import require_known
from tenantgate_cli.backup.erasures import NO_LEDGER, Ledger, Replayed, replay
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.manifest import Manifest, Server
from tenantgate_cli.backup.programs import program
from tenantgate_cli.backup.tables import EVERY_TENANT, digests
from tenantgate_cli.backup.wal_files import Until, WalArchive
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.servers.launch import Running, User, launch
from tenantgate_cli.stack.servers.postgres_folder import last_error
from tenantgate_cli.stack.servers.postgres_programs import programs_for
from tenantgate_cli.stack.servers.unprivileged import reachable, unprivileged_user

type Progress = Callable[[str], None]
_WAL = "tenantgate_wal"
_REPLAY_SECONDS = 24 * 3600.0
_STOP_SIGNALS = (("SIGINT", 60), ("SIGQUIT", 10), ("SIGKILL", 0))
# PostgreSQL's words if the log ends before any commit after the moment.
_NOT_REACHED = "recovery ended before configured recovery target was reached"
_HOST_RULES = "local all all trust\n"
# Templates don't have it, and another product's databases may be on the server.
_DATABASES = "SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
_IS_OURS = "SELECT to_regclass('public.revocation_epoch') IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Restored:
    """The moment up to which everything is restored, and the tables of each database before credentials were ended.

    A table: the number of its rows, and the SHA-256 of their text. `replayed`: what the ledger of erasures repeated.
    """

    moment: datetime
    tables: Mapping[str, Mapping[str, tuple[int, str]]]
    replayed: Replayed


def restore_server(
    folder: BackupFolder,
    manifest: Manifest,
    target: Path,
    *,
    at: datetime | None,
    progress: Progress,
    ledger: Ledger = NO_LEDGER,
) -> Restored:
    """Restore a base, and the log that follows it, into the new folder `target`. Raises Failure, `OSError`.

    `ledger`: erasures, which are repeated.
    """
    server = manifest.server
    assert server is not None  # noqa: S101
    require_known(manifest.revision)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Failure(f"{target} isn't empty", "give a new folder, and start PostgreSQL with it afterwards")
    folder.require_files(manifest)
    archive = WalArchive(folder, server.system_id, server.segment_bytes)
    until = archive.until()
    if at is not None and at > until.moment:
        raise Failure(f"the log ends at {until.moment.isoformat()}, before {at.isoformat()}", "leave out --at")
    progress(
        f"{manifest.name}: its files have the checksums of the manifest; the log ends at {until.moment.isoformat()}"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".unfinished-{target.name}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    try:
        _extract(folder, manifest, new)
        _verify(manifest, new)
        (new / _WAL).mkdir(mode=0o700)
        archive.extract(new / _WAL, first=server.first_segment)
        progress("files verified and log decrypted")
        restored = _Recovery(new, server, _major(manifest), progress, ledger).run(at, until)
        if target.is_dir():
            target.rmdir()
        new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return restored


def _major(manifest: Manifest) -> int:
    return int(manifest.postgres.partition(".")[0])


def _extract(folder: BackupFolder, manifest: Manifest, into: Path) -> None:
    with (
        folder.reader(manifest, FILE) as reader,
        tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive,
    ):
        # `data`: no file outside the folder, no device, no link that leaves it.
        archive.extractall(into, filter="data")
    for path in (into, *into.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _verify(manifest: Manifest, folder: Path) -> None:
    """Compare each file with PostgreSQL's own manifest. Raises Failure."""
    command = [str(program("pg_verifybackup", version=_major(manifest))), "--no-parse-wal", "--quiet", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise Failure(
            f"PostgreSQL's manifest of {manifest.name} doesn't fit: {last_error(ran.stderr)}",
            "restore another base: --at with an earlier time",
        )


class _Recovery:
    """PostgreSQL on the new files, on a socket in a private folder."""

    def __init__(self, files: Path, server: Server, major: int, progress: Progress, ledger: Ledger) -> None:
        self._ledger = ledger
        self._replayed = Replayed()
        self._files = files
        self._server = server
        self._progress = progress
        self._user = unprivileged_user(files.parent)
        self._programs = self._runnable(program("postgres", version=major, exactly=True))

    def run(self, at: datetime | None, until: Until) -> Restored:
        """Replay the log, end all credentials, and stop."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tenantgate-restore-") as private:
            folder = Path(private)
            (folder / "hba.conf").write_text(_HOST_RULES)
            (folder / "postgresql.conf").touch()
            (self._files / "recovery.signal").touch()
            if self._user is not None:
                _give(folder, self._user)
                _give(self._files, self._user)
            log = folder / "log"
            running = self._launch(folder, log, at)
            if running is None and at is not None and _NOT_REACHED in log.read_text(errors="replace"):
                # Nothing was committed after the moment, and the log is known to have everything up to it.
                running = self._launch(folder, log, None)
            if running is None:
                raise Failure(
                    f"PostgreSQL can't replay the log: {last_error(log.read_text(errors='replace'))}",
                    "restore another base: --at with an earlier time",
                )
            try:
                self._progress(f"log replayed in {time.monotonic() - began:.1f} s")
                found = asyncio.run(self._end_credentials(folder))
                self._progress("all sessions and tokens ended")
            finally:
                running.stop()
        shutil.rmtree(self._files / _WAL)
        return Restored(min(at, until.moment) if at is not None else until.moment, found, self._replayed)

    def _launch(self, folder: Path, log: Path, at: datetime | None) -> Running | None:
        """Start, and wait until the log is replayed. None: PostgreSQL ended, and its log has the reason."""
        name = str(self._files) if reachable(self._files, self._user) else "/proc/self/cwd"
        settings = {
            "config_file": str(folder / "postgresql.conf"),
            "hba_file": str(folder / "hba.conf"),
            "ident_file": str(folder / "hba.conf"),
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            # The files of the base may have other values in postgresql.auto.conf.
            "shared_preload_libraries": "",
            "session_preload_libraries": "",
            "archive_mode": "off",
            "hot_standby": "off",
            "ssl": "off",
            "restore_command": f"cp {_WAL}/%f %p",
            "recovery_target_timeline": "latest",
        }
        if at is not None:
            settings |= {"recovery_target_time": at.isoformat(), "recovery_target_action": "promote"}
        command = [str(self._programs / "postgres"), "-D", name]
        for setting, value in settings.items():
            command += ["-c", f"{setting}={value}"]
        log.unlink(missing_ok=True)
        running = launch(command, directory=self._files, log=log, user=self._user, stop_signals=_STOP_SIGNALS)
        deadline = time.monotonic() + _REPLAY_SECONDS
        try:
            while not self._is_ready():
                if running.has_ended():
                    running.stop()
                    return None
                if time.monotonic() > deadline:
                    raise Failure("PostgreSQL doesn't finish replaying the log", "restore a newer base")
                time.sleep(0.05)
        except BaseException:
            running.stop()
            raise
        return running

    def _is_ready(self) -> bool:
        try:
            lines = (self._files / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and not (self._files / "recovery.signal").exists()

    async def _end_credentials(self, folder: Path) -> dict[str, dict[str, tuple[int, str]]]:
        """End the credentials in each of our databases of the server. Return the tables that they had."""
        found: dict[str, dict[str, tuple[int, str]]] = {}
        for name in await self._fetch_databases(folder):
            connection = await self._connect(folder, name)
            try:
                if not await connection.fetchval(_IS_OURS):
                    continue
                async with connection.transaction():
                    await connection.execute(EVERY_TENANT)
                    found[name] = await digests(connection)
                    self._replayed = await replay(connection, self._ledger)
                    self._progress(self._replayed.words)
                    await end_all_credentials(connection)
            finally:
                await connection.close()
        if not found:
            raise Failure("no database of the restored server is Tenantgate's", "restore another base")
        return found

    async def _fetch_databases(self, folder: Path) -> list[str]:
        connection = await self._connect(folder, "postgres")
        try:
            return [row["datname"] for row in await connection.fetch(_DATABASES)]
        finally:
            await connection.close()

    async def _connect(self, folder: Path, database: str) -> Any:
        user, name, host = (quote(text, safe="") for text in (self._server.admin, database, str(folder)))
        return await connect(f"postgresql://{user}@/{name}?host={host}", statement_seconds=None)

    def _runnable(self, path: Path) -> Path:
        """Return the folder of the program, in a place that the server's user can enter."""
        return path.parent if reachable(path, self._user) else programs_for(self._user)


def _give(folder: Path, user: User) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *user, follow_symlinks=False)
