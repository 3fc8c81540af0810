"""`tenantgate backup --stream` of a real PostgreSQL, and restored servers from it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tenantgate.database import migrator
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.following import Follower, Pace
from tenantgate_cli.backup.keys import BackupKeys
from tenantgate_cli.backup.wal_files import WalArchive
from tenantgate_cli.main import app
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresAddresses
from tests.fixtures.backups.server import KEY, allow_replication, following
from tests.fixtures.databases.postgres import crash, execute, start_postgres

PACE = Pace(every=0.2)
SEGMENT_BYTES = 16 * 1024 * 1024
_STREAMED = "SELECT bool_and(flush_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication"
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"


@dataclass
class Streamed:
    """A server that crashed while it was streamed. `early`: a moment at which it had only the first of two tenants."""

    server: EmbeddedPostgres
    addresses: PostgresAddresses
    folder: Path
    system_id: str
    early: datetime
    until: datetime

    @property
    def wal(self) -> Path:
        return self.folder / "wal" / self.system_id


def wait_for(done: Callable[[], object], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streamed]:
    root = tmp_path_factory.mktemp("streamed")
    # A checkpoint must not remove what the stream needs next.
    server = start_postgres(root, wal_keep_size="256MB")
    addresses = server.start()
    allow_replication(server, addresses)
    migrator.upgrade(addresses.owner_url)
    [[row]] = execute(addresses.admin_url, _SYSTEM)
    folder = root / "backups"
    with following(addresses.admin_url, folder, PACE) as follower:

        def archived(moment: datetime) -> None:
            wait_for(lambda: follower.until is not None and follower.until > moment)

        archived(datetime.now(UTC))
        execute(addresses.admin_url, "INSERT INTO tenants (tenant_id) VALUES ('first')")
        early = datetime.now(UTC)
        # A segment that is complete, and one that isn't.
        execute(addresses.admin_url, "SELECT pg_switch_wal()", "INSERT INTO tenants (tenant_id) VALUES ('second')")
        archived(datetime.now(UTC))
        crash(server)
    assert follower.until is not None
    yield Streamed(server, addresses, folder, row[0], early, follower.until)
    server.stop()


@pytest.fixture
def changed(streamed: Streamed, tmp_path: Path) -> Streamed:
    """A copy of the backups for a test that damages them."""
    shutil.copytree(streamed.folder, tmp_path / "backups")
    return Streamed(
        streamed.server, streamed.addresses, tmp_path / "backups", streamed.system_id, streamed.early, streamed.until
    )


def restore(folder: Path, files: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["restore", "--from", str(folder), "--files", str(files), *options])


def tenants(streamed: Streamed, folder: Path) -> set[str]:
    """The tenants of a restored server, which is started as another one."""
    shutil.copy(streamed.server.data_dir / "roles.json", folder)
    with EmbeddedPostgres(folder, settings={"fsync": "off"}) as server:
        rows, sessions = execute(
            server.start().admin_url,
            "SELECT tenant_id FROM tenants",
            "SELECT kind, epoch FROM revocations WHERE revoked_at > now() - interval '5 minutes'",
        )
        # Everything that was issued earlier is refused.
        assert [row["kind"] for row in sessions] == ["tenant"]
        assert sessions[0]["epoch"] > (time.time() - 300) * 1000
    return {row["tenant_id"] for row in rows}


def test_a_crashed_server_is_restored_to_its_last_commit(streamed: Streamed, tmp_path: Path) -> None:
    ran = restore(streamed.folder, tmp_path / "cluster")
    assert ran.exit_code == 0, ran.output
    assert streamed.until.astimezone(UTC).isoformat() in ran.output
    assert not list(tmp_path.glob(".unfinished*"))
    assert not (tmp_path / "cluster" / "tenantgate_wal").exists()
    assert tenants(streamed, tmp_path) == {"first", "second"}


def test_a_server_is_restored_at_a_moment(streamed: Streamed, tmp_path: Path) -> None:
    ran = restore(streamed.folder, tmp_path / "cluster", "--at", streamed.early.isoformat())
    assert ran.exit_code == 0, ran.output
    assert tenants(streamed, tmp_path) == {"first"}


def test_a_moment_after_the_last_commit(streamed: Streamed, tmp_path: Path) -> None:
    """Without the recorded end, it would look like a log that was cut off."""
    ran = restore(streamed.folder, tmp_path / "cluster", "--at", streamed.until.isoformat())
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("offset", [timedelta(seconds=1), timedelta(days=-1)])
def test_a_moment_outside_the_archive(streamed: Streamed, tmp_path: Path, offset: timedelta) -> None:
    ran = restore(streamed.folder, tmp_path / "cluster", "--at", (streamed.until + offset).isoformat())
    assert ran.exit_code == 1
    assert "the log ends at" in ran.output or "no backup from" in ran.output


def test_a_folder_with_files_is_left_alone(streamed: Streamed, tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").touch()
    ran = restore(streamed.folder, tmp_path)
    assert (ran.exit_code, "isn't empty" in ran.output) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["PG_VERSION"]


def delete_segment(streamed: Streamed) -> None:
    max(streamed.wal.glob("?" * 24 + ".age")).unlink()


def delete_until(streamed: Streamed) -> None:
    (streamed.wal / "until.age").unlink()


def delete_part(streamed: Streamed) -> None:
    next(streamed.wal.glob("*.partial-*")).unlink()


def exchange_segments(streamed: Streamed) -> None:
    one, two = sorted(streamed.wal.glob("?" * 24 + ".age"))[-2:]
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


def older_part(streamed: Streamed) -> None:
    """A genuine file of the same name, with less of the log, as it would be from an earlier copy of the storage."""
    archive = WalArchive(BackupFolder(streamed.folder, BackupKeys([KEY])), streamed.system_id, SEGMENT_BYTES)
    path = next(streamed.wal.glob("*.partial-*"))
    segment, _, number = path.name.removesuffix(".age").partition(".partial-")
    archive.add_partial(b"", segment, int(number))


def cut_base(streamed: Streamed) -> None:
    path = next(streamed.folder.glob("*-base/base.tar.age"))
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize("damage", [delete_segment, delete_until, delete_part, exchange_segments, older_part, cut_base])
def test_a_damaged_archive_is_refused(changed: Streamed, tmp_path: Path, damage: Callable[[Streamed], None]) -> None:
    damage(changed)
    ran = restore(changed.folder, tmp_path / "cluster")
    assert ran.exit_code == 1
    assert "missing" in ran.output or "can't be used" in ran.output
    assert not (tmp_path / "cluster").exists()
    assert not list(tmp_path.glob(".unfinished*"))


def test_a_login_without_the_right_cannot_stream(tmp_path: Path, streamed: Streamed) -> None:
    streamed.server.start()
    try:
        command = ["backup", "--to", str(tmp_path), "--stream", "--database-url", streamed.addresses.owner_url]
        ran = CliRunner().invoke(app, command)
    finally:
        crash(streamed.server)
    assert (ran.exit_code, "may not stream" in ran.output) == (1, True)


def test_a_killed_stream_continues_without_another_copy(streamed: Streamed, tmp_path: Path) -> None:
    """The command as a service runs it: killed, started again, and stopped."""
    server = streamed.server
    url = server.start().admin_url
    command = [sys.executable, "-m", "tenantgate_cli", "backup", "--to", str(tmp_path), "--stream", "--every", "1"]
    environment = {**os.environ, "DATABASE_OWNER_URL": url, "BACKUP_KEY": KEY}
    wal = tmp_path / "wal" / streamed.system_id

    def run() -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    try:
        with run() as process:
            wait_for((wal / "until.age").exists)
            process.send_signal(signal.SIGKILL)
        shown = (wal / "until.age").stat().st_mtime_ns
        with run() as process:
            wait_for(lambda: (wal / "until.age").stat().st_mtime_ns > shown)
            process.send_signal(signal.SIGTERM)
            output = process.communicate(timeout=30)[0]
        assert process.returncode == 0
        assert "is archived" in output.splitlines()[-1]
        assert url.split(":")[2].split("@")[0] not in output
    finally:
        crash(server)
    assert len(list(tmp_path.glob("*-base"))) == 1, output


def test_old_copies_and_their_log_are_removed(streamed: Streamed, tmp_path: Path) -> None:
    server = streamed.server
    url = server.start().admin_url
    lines: list[str] = []
    # Each look takes a copy.
    pace = Pace(every=0.2, base_hours=0.0, keep=1)
    try:
        with following(url, tmp_path, pace, lines):
            wait_for(lambda: sum("removed" in line for line in lines) > 1)
    finally:
        crash(server)
    assert len(list(tmp_path.glob("*-base"))) == 1
    base = BackupFolder(tmp_path, BackupKeys([KEY])).newest(kind="base").server
    assert base is not None
    archive = WalArchive(BackupFolder(tmp_path, BackupKeys([KEY])), streamed.system_id, SEGMENT_BYTES)
    assert min(archive.segments(), default=base.first_segment) >= base.first_segment


def test_writes_after_the_last_look_are_kept_if_the_stream_has_them(streamed: Streamed, tmp_path: Path) -> None:
    server = streamed.server
    url = server.start().admin_url
    with following(url, tmp_path / "backups", Pace(every=5.0)) as follower:
        wait_for(lambda: follower.until)
        execute(url, "INSERT INTO tenants (tenant_id) VALUES ('late')")
        written = datetime.now(UTC)
        wait_for(lambda: execute(url, _STREAMED)[0][0][0])
        crash(server)
    assert follower.until is not None
    assert follower.until < written
    assert restore(tmp_path / "backups", tmp_path / "cluster").exit_code == 0
    assert "late" in tenants(streamed, tmp_path)


def test_a_server_that_is_away_is_waited_for(streamed: Streamed, tmp_path: Path) -> None:
    server = streamed.server
    url = server.start().admin_url
    lines: list[str] = []
    with following(url, tmp_path, PACE, lines) as follower:
        wait_for(lambda: follower.until)
        crash(server)
        wait_for(lambda: any("can't be reached" in line for line in lines))
        before = follower.until
        server.start()
        try:
            wait_for(lambda: follower.until != before)
        finally:
            crash(server)
    assert isinstance(follower, Follower)
