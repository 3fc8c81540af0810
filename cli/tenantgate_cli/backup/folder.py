"""The folder of backups.

    20261126T171500123Z-dump/   a complete backup: its files, and its manifest, which is written last
    .unfinished-…/              one that is being written, or whose program was killed
    wal/                        the write-ahead log after the bases (`wal_files.py`)
    .lock                       held by the program that writes here

A backup appears by a rename after everything was written and synchronized: one that was killed never looks complete.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tenantgate_cli.backup.keys import BackupKeys
from tenantgate_cli.backup.manifest import Kind, Manifest
from tenantgate_cli.backup.sealed_files import SealedReader, SealedWriter, require_checksum
from tenantgate_cli.console import Failure

MANIFEST = "manifest.age"
_UNFINISHED = ".unfinished-"
_NAME = re.compile(r"\d{8}T\d{9}Z-(dump|base)")


class UnfinishedBackup:
    """The folder of a backup that is being written."""

    def __init__(self, name: str, path: Path, keys: BackupKeys) -> None:
        self.name = name
        self._path = path
        self._keys = keys

    def writer(self, file: str) -> SealedWriter:
        """Open a new file of the backup."""
        return SealedWriter(self._path / file, f"{self.name}/{file}", self._keys)

    def complete(self, manifest: Manifest) -> None:
        """Write the manifest, and let the backup appear."""
        with SealedWriter(self._path / MANIFEST, f"{self.name}/{MANIFEST}", self._keys) as file:
            file.write(manifest.to_json())
        synchronize(self._path)
        self._path.rename(self._path.with_name(self.name))
        synchronize(self._path.parent)


class BackupFolder:
    """The backups in `path`, encrypted with `keys`."""

    def __init__(self, path: Path, keys: BackupKeys) -> None:
        self.path = path
        self.keys = keys

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other programs from writing here, and remove what killed ones left. Raises Failure."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise Failure(
                f"{self.path} can't be written: {os.strerror(error.errno or 0)}", "choose another --to"
            ) from None
        with os.fdopen(descriptor, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure(f"another backup is being written to {self.path}", "wait for it, or stop it") from None
            for left in self.path.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left)
            yield

    @contextmanager
    def unfinished(self, kind: Kind) -> Iterator[UnfinishedBackup]:
        """Yield a new backup. It is removed unless the block completes it."""
        now = datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{kind}"
        path = self.path / f"{_UNFINISHED}{name}"
        path.mkdir(mode=0o700)
        try:
            yield UnfinishedBackup(name, path, self.keys)
        finally:
            with suppress(FileNotFoundError):
                shutil.rmtree(path)

    def names(self) -> list[str]:
        """Return the names of the complete backups, oldest first."""
        if not self.path.is_dir():
            raise Failure(f"there is no folder {self.path}", "give the folder of the backups: --from FOLDER")
        return sorted(path.name for path in self.path.iterdir() if _NAME.fullmatch(path.name))

    def manifest(self, name: str) -> Manifest:
        """Return a backup's manifest. Raises Failure unless it is genuine."""
        path = self.path / name / MANIFEST
        with SealedReader(path, f"{name}/{MANIFEST}", self.keys) as file:
            raw = b"".join(iter(file.read, b""))
        try:
            manifest = Manifest.from_json(raw)
        except ValueError as problem:
            raise Failure(
                f"the backup {name} can't be used: {problem}", "restore it with the version that made it"
            ) from None
        if manifest.name != name:
            raise Failure(f"the backup {name} can't be used: its manifest is another one's", "restore another backup")
        return manifest

    def newest(self, *, at: datetime | None = None, kind: Kind | None = None) -> Manifest:
        """Return the newest backup, or the newest one that was complete at a moment. Raises Failure."""
        names = [name for name in self.names() if kind is None or name.endswith(f"-{kind}")]
        if not names:
            raise Failure(f"there is no complete backup in {self.path}", "tenantgate backup --to FOLDER   (makes one)")
        for name in reversed(names):
            manifest = self.manifest(name)
            if at is None or manifest.moment <= at:
                return manifest
        raise Failure(
            f"there is no backup from {at} or earlier in {self.path}",
            f"the oldest one is of {manifest.moment.isoformat()}",
        )

    def require_files(self, manifest: Manifest) -> None:
        """Raise Failure unless all files of the backup are there and unchanged."""
        for name, sealed in manifest.files.items():
            require_checksum(self.path / manifest.name / name, sealed)

    def reader(self, manifest: Manifest, file: str) -> SealedReader:
        """Open a file of a backup."""
        path = self.path / manifest.name / file
        return SealedReader(path, f"{manifest.name}/{file}", self.keys, manifest.files[file])

    def remove(self, name: str) -> None:
        """Remove a backup, which is first renamed: half of one must not look complete."""
        left = self.path / f"{_UNFINISHED}{name}"
        (self.path / name).rename(left)
        shutil.rmtree(left)


def synchronize(folder: Path) -> None:
    """Write a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
