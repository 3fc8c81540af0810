"""`tenantgate backup` and `tenantgate restore`."""

from __future__ import annotations

import asyncio
import signal
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tenantgate.database.connection import connect
from tenantgate.transparency.errors import AnchorUnavailable
from tenantgate_cli.backup.after_restore import end_all_credentials
from tenantgate_cli.backup.dumps import require_restorable, restore_dump, take_dump
from tenantgate_cli.backup.erasures import NO_LEDGER, Ledger, read_ledger
from tenantgate_cli.backup.failures import explained
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.following import Follower, Pace
from tenantgate_cli.backup.keys import new_key, read_keys
from tenantgate_cli.backup.manifest import Manifest
from tenantgate_cli.backup.server_restore import Restored, restore_server
from tenantgate_cli.backup.tables import EVERY_TENANT, require_all_rows, tables
from tenantgate_cli.commands.migrate import ask
from tenantgate_cli.console import Failure, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.anchors import anchors_of
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.variables import environment


@dataclass(frozen=True, slots=True)
class Place:
    """The database: that of `url`, or of the running stack. `as_json`: the form of the result."""

    data_dir: Path
    url: str | None
    as_json: bool

    def owner_url(self) -> str:
        """Return the owner's URL as libpq and asyncpg read it. Raises Failure."""
        url = self.url
        if not url:
            folder = DataFolder(self.data_dir)
            url = folder.running().get("owner_url")
            if not url:
                raise Failure(
                    f"no stack is running with the data in {folder.shown()}",
                    "make dev   (in another terminal), or give --database-url",
                )
        from tenantgate.settings.parsing import parse_database_url  # noqa: PLC0415

        try:
            parse_database_url(url, tls="private-network")
        except ValueError as problem:
            raise Failure("--database-url (or DATABASE_OWNER_URL) has another form", str(problem)) from None
        return f"postgresql://{url.partition('://')[2]}"

    def ledger(self) -> Ledger:
        """Return the anchored erasures, which a restoration repeats. Raises Failure."""
        anchors = anchors_of(self.data_dir, self.url)
        if anchors is None:
            self.progress(
                "no anchors are configured: erasures after the backup are unknown (tenantgate privacy replay)"
            )
            return NO_LEDGER
        try:
            return asyncio.run(read_ledger(anchors))
        except AnchorUnavailable as error:
            raise Failure(
                f"the ledger of erasures can't be read: {error}",
                "nothing was restored: create or mount the folder, or check the bucket",
            ) from error

    def progress(self, text: str) -> None:
        if not self.as_json:
            say(text)

    def note(self, text: str) -> None:
        """Print what happens now, with the time."""
        if self.as_json:
            print_result(ok=not text.startswith("✗"), event=text)
        else:
            say(f"{datetime.now(UTC):%H:%M:%S} {text}")


def backup(to: Path, key_file: Path | None, keep: int | None, place: Place) -> None:
    """Add a dump to the folder, and remove all but the newest `keep`. Raises Failure."""
    folder = BackupFolder(to, read_keys(key_file, environment()))
    url = place.owner_url()
    with folder.held(), explained(url, to):
        manifest = take_dump(url, folder, place.progress)
        removed = _remove_old(folder, keep)
    _report(manifest, place, removed=removed)


def _remove_old(folder: BackupFolder, keep: int | None) -> list[str]:
    names = [name for name in folder.names() if name.endswith("-dump")]
    old = names[:-keep] if keep else []
    for name in old:
        folder.remove(name)
    return old


def stream(to: Path, key_file: Path | None, place: Place, *, every: float, base_hours: float, keep: int | None) -> None:
    """Keep a base and the write-ahead log in the folder until a signal. Raises Failure."""
    folder = BackupFolder(to, read_keys(key_file, environment()))
    url = place.owner_url()
    ended = threading.Event()
    earlier = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with folder.held(), explained(url, to):
            follower = Follower(url, folder, Pace(every, base_hours, keep or 3), place.note)
            place.note(f"archiving every {every:g} s; stop with Ctrl-C")
            follower.follow(ended.wait)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    place.note(f"stopped: everything up to {follower.until} is archived")


def restore_files(from_: Path, at: str | None, key_file: Path | None, place: Place, *, target: Path) -> None:
    """Restore a server's files from a base and the log, in a new folder. Raises Failure."""
    folder = BackupFolder(from_, read_keys(key_file, environment()))
    moment = None if at is None else moment_of(at)
    manifest = folder.newest(at=moment, kind="base")
    with explained("", from_):
        ledger = place.ledger()
        restored = restore_server(folder, manifest, target, at=moment, progress=place.progress, ledger=ledger)
    if place.as_json:
        print_result(name=manifest.name, moment=restored.moment.isoformat(), rows=_counts(restored), files=str(target))
        return
    for database, rows in _counts(restored).items():
        say(f"{database}: {sum(rows.values()):,} rows in {len(rows)} tables")
    say(f"{target} has the state of {restored.moment.isoformat()}: start PostgreSQL with it")
    say(f"Repeat what was changed after {restored.moment.isoformat()}: revoked key ids, suspended tenants.")


def _counts(restored: Restored) -> dict[str, dict[str, int]]:
    return {
        database: {name: rows for name, (rows, _) in tables.items()} for database, tables in restored.tables.items()
    }


def restore(from_: Path, at: str | None, key_file: Path | None, place: Place, *, overwrite: bool) -> None:
    """Restore the newest dump, or the newest one of a moment, into the database. Raises Failure."""
    folder = BackupFolder(from_, read_keys(key_file, environment()))
    manifest = folder.newest(at=None if at is None else moment_of(at), kind="dump")
    url = place.owner_url()
    place.progress(f"backup {manifest.name}: the state of {manifest.moment.isoformat()}")
    ledger = place.ledger()
    with explained(url, from_):
        require_restorable(url, folder, manifest, overwrite=overwrite)
    with explained(url, from_, restoring=True):
        restore_dump(url, folder, manifest, overwrite=overwrite, progress=place.progress, ledger=ledger)
        if application_url := environment().get("DATABASE_URL"):
            from tenantgate.database.roles import ensure_login  # noqa: PLC0415

            ensure_login(url, application_url)
            place.progress("the application's user can log in")
    _report(manifest, place)
    if not place.as_json:
        say(f"Repeat what was changed after {manifest.moment.isoformat()}: revoked key ids, suspended tenants.")


def check(from_: Path, key_file: Path | None, place: Place) -> None:
    """Verify every file of every backup in the folder. Raises Failure."""
    folder = BackupFolder(from_, read_keys(key_file, environment()))
    manifests = [folder.manifest(name) for name in folder.names()]
    for manifest in manifests:
        folder.require_files(manifest)
        for file in manifest.files:
            with folder.reader(manifest, file):
                pass
        place.progress(f"{manifest.name}: {len(manifest.files)} files, {manifest.size:,} bytes, all genuine")
    if not manifests:
        raise Failure(f"there is no complete backup in {from_}", "tenantgate backup --to FOLDER")
    if place.as_json:
        print_result(backups=[manifest.name for manifest in manifests])


def end_credentials(place: Place, *, confirmed: bool) -> None:
    """End all sessions and tokens of the database, which was restored by other means. Raises Failure."""
    url = place.owner_url()
    if not confirmed and not ask("End all sessions, and refuse all tokens that were issued up to now?"):
        raise Failure("nothing was ended")
    with explained(url, Path()):
        asyncio.run(_end_credentials(url))
    if place.as_json:
        print_result()
    else:
        say("all sessions and tokens ended: everyone signs in again")


async def _end_credentials(url: str) -> None:
    connection = await connect(url, statement_seconds=None)
    try:
        async with connection.transaction():
            await connection.execute(EVERY_TENANT)
            await require_all_rows(connection, await tables(connection))
            await end_all_credentials(connection)
    finally:
        await connection.close()


def moment_of(text: str) -> datetime:
    """Return the moment of an ISO 8601 time with its time zone. Raises Failure."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Failure(f"{text!r} is not a time with its time zone", "write it like 2026-11-26T17:15:00Z")
    return moment.astimezone(UTC)


def _report(manifest: Manifest, place: Place, *, removed: list[str] | None = None) -> None:
    if place.as_json:
        print_result(
            name=manifest.name,
            moment=manifest.moment.isoformat(),
            revision=manifest.revision,
            rows={table.name: table.rows for table in manifest.tables},
            bytes=manifest.size,
            removed=removed or [],
        )
        return
    for name in removed or []:
        say(f"removed {name}")
    say(f"{manifest.name}: {manifest.rows:,} rows, {manifest.size:,} bytes, revision {manifest.revision}")


def print_new_key(*, as_json: bool) -> None:
    """Print a new key on standard output."""
    key = new_key()
    if as_json:
        print_result(key=key)
    else:
        # Standard output itself: the key is redirected into a file.
        print(key)
