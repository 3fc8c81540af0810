"""The folder of backups: which ones look complete, and which one is found for a moment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.keys import BackupKeys, new_key
from tenantgate_cli.backup.manifest import DumpedTable, Manifest, Server
from tenantgate_cli.backup.sealed_files import Sealed
from tenantgate_cli.console import Failure

MOMENT = datetime(2026, 11, 26, 17, 15, tzinfo=UTC)
TABLE = DumpedTable("public.t", "0001.copy.age", ("a", 'b"'), "a", (True, True), 3, "ab" * 32)
MANIFEST = Manifest(
    "",
    "dump",
    MOMENT,
    "0007",
    "1.0",
    "18.6",
    {},
    (TABLE,),
    {"public.s": (7, True)},
    Server("1", "postgres", "0" * 24, 1),
)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "backups", BackupKeys([new_key()]))


def add(folder: BackupFolder, moment: datetime = MOMENT) -> Manifest:
    with folder.held(), folder.unfinished("dump") as unfinished:
        with unfinished.writer("0001.copy.age") as writer:
            writer.write(b"1\n2\n3\n")
        manifest = replace(MANIFEST, name=unfinished.name, moment=moment, files={"0001.copy.age": writer.sealed})
        unfinished.complete(manifest)
    return manifest


def test_a_manifest_survives_its_form() -> None:
    manifest = replace(MANIFEST, files={"f": Sealed(3, "cd")})
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"form": 2}', b'{"form": 1}'])
def test_anything_else_is_not_a_manifest(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Manifest.from_json(raw)


def test_a_complete_backup_is_found(folder: BackupFolder) -> None:
    manifest = add(folder)
    assert folder.names() == [manifest.name]
    assert folder.newest() == manifest
    folder.require_files(manifest)
    with folder.reader(manifest, "0001.copy.age") as reader:
        assert reader.read() == b"1\n2\n3\n"


def test_the_backup_of_a_moment(folder: BackupFolder) -> None:
    first, second = add(folder), add(folder, MOMENT + timedelta(hours=1))
    assert folder.newest() == second
    assert folder.newest(at=MOMENT + timedelta(minutes=59)) == first
    with pytest.raises(Failure, match="no backup from") as failure:
        folder.newest(at=MOMENT - timedelta(seconds=1))
    assert MOMENT.isoformat() in failure.value.remedy


def test_a_failed_backup_leaves_nothing(folder: BackupFolder) -> None:
    def fails() -> None:
        with folder.held(), folder.unfinished("dump") as unfinished, unfinished.writer("0001.copy.age") as writer:
            writer.write(b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [path.name for path in folder.path.iterdir()] == [".lock"]
    with pytest.raises(Failure, match="no complete backup"):
        folder.newest()


KILLED = """
import sys, time
from pathlib import Path
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.keys import BackupKeys
folder = BackupFolder(Path(sys.argv[1]), BackupKeys([sys.argv[2]]))
with folder.held(), folder.unfinished("dump") as unfinished, unfinished.writer("0001.copy.age") as writer:
    writer.write(b"1" * 100_000)
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_backup_looks_incomplete_and_is_removed_by_the_next_one(tmp_path: Path) -> None:
    key = new_key()
    folder = BackupFolder(tmp_path, BackupKeys([key]))
    with subprocess.Popen([sys.executable, "-c", KILLED, tmp_path, key], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        with pytest.raises(Failure, match="another backup is being written"), folder.held():
            pass
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert folder.names() == []
    assert len(list(tmp_path.glob(".unfinished-*"))) == 1
    manifest = add(folder)
    assert folder.names() == [manifest.name]
    assert not list(tmp_path.glob(".unfinished-*"))


def test_a_renamed_backup_is_refused(folder: BackupFolder) -> None:
    """Otherwise an old state could be given out for a newer one."""
    old, new = add(folder), add(folder, MOMENT + timedelta(hours=1))
    shutil.rmtree(folder.path / new.name)
    (folder.path / old.name).rename(folder.path / new.name)
    with pytest.raises(Failure, match="another file of a backup"):
        folder.newest()


def test_files_of_two_backups_cannot_be_exchanged(folder: BackupFolder) -> None:
    first, second = add(folder), add(folder)
    here, there = (folder.path / manifest.name / "0001.copy.age" for manifest in (first, second))
    here.write_bytes(there.read_bytes())
    with pytest.raises(Failure, match="isn't the file of this backup"):
        folder.require_files(first)
    with pytest.raises(Failure, match="another file"), folder.reader(first, "0001.copy.age"):
        pass


def test_a_missing_file_or_manifest_is_reported(folder: BackupFolder) -> None:
    manifest = add(folder)
    (folder.path / manifest.name / "0001.copy.age").unlink()
    with pytest.raises(Failure, match="No such file"):
        folder.require_files(manifest)
    (folder.path / manifest.name / "manifest.age").unlink()
    with pytest.raises(Failure, match="No such file"):
        folder.newest()


def test_a_removed_backup_is_gone(folder: BackupFolder) -> None:
    first, second = add(folder), add(folder)
    folder.remove(first.name)
    assert folder.names() == [second.name]


def test_a_folder_that_is_missing(folder: BackupFolder) -> None:
    with pytest.raises(Failure, match="there is no folder"):
        folder.names()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    folder = BackupFolder(tmp_path / "x", BackupKeys([new_key()]))
    with pytest.raises(Failure, match="can't be written"), folder.held():
        pass
