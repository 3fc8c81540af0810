"""The user as which root runs a server, and the programs that this user can reach."""

import os
import secrets
import shutil
from pathlib import Path

import pytest

from tenantgate_cli.stack.servers.unprivileged import reachable, reachable_copy, unprivileged_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does")
SOMEBODY = (65534, 65534)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """Programs in a folder that only root may enter."""
    folder = tmp_path / "closed"
    (folder / "programs" / "bin").mkdir(parents=True)
    (folder / "programs" / "bin" / "server").write_text("program")
    (folder / "programs" / "unneeded").write_text("x" * 100)
    folder.chmod(0o700)
    return folder / "programs"


def test_the_owner_of_existing_data_stays_the_same(tmp_path: Path) -> None:
    assert unprivileged_user(tmp_path / "missing") == unprivileged_user(tmp_path)
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 1234, 1235)
    assert unprivileged_user(tmp_path / "data") == (1234, 1235)


def test_reaching_needs_every_folder_above(closed: Path) -> None:
    assert not reachable(closed, SOMEBODY)
    assert reachable(closed, None)
    assert reachable(Path("/usr/bin/env"), SOMEBODY)


def test_what_can_be_reached_is_used_in_place() -> None:
    assert reachable_copy(Path("/usr/bin"), SOMEBODY, name="unused", parts=()) == Path("/usr/bin")


def test_an_unreachable_program_is_copied_once_and_only_readable_by_others(closed: Path) -> None:
    name = f"tenantgate-test-{secrets.token_hex(4)}"
    copy = reachable_copy(closed, SOMEBODY, name=name, parts=("bin", "not-there"))
    try:
        assert reachable(copy / "bin" / "server", SOMEBODY)
        assert [path.name for path in copy.iterdir()] == ["bin"]
        assert copy.stat().st_mode & 0o777 == 0o755
        assert reachable_copy(closed, SOMEBODY, name=name, parts=("bin",)) == copy
        assert closed.parent.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(copy)


def test_a_copy_that_another_user_made_is_not_trusted(closed: Path) -> None:
    name = f"tenantgate-test-{secrets.token_hex(4)}"
    planted = reachable_copy(closed, SOMEBODY, name=name, parts=("bin",))
    os.chown(planted, *SOMEBODY)
    other = reachable_copy(closed, SOMEBODY, name=name, parts=("bin",))
    try:
        assert other != planted
        assert other.stat().st_uid == 0
    finally:
        shutil.rmtree(planted)
        shutil.rmtree(other)
