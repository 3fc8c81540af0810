"""The keys of backups: their sources, and the proofs that they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tenantgate_cli.backup.keys import BackupKeys, new_key, read_keys
from tenantgate_cli.console import Failure


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "backup.key"
    file.touch(mode=mode)
    file.chmod(mode)
    file.write_text(text, encoding="utf-8")
    return file


def test_a_proof_holds_for_one_name_and_for_earlier_keys() -> None:
    old, new = new_key(), new_key()
    by_old = BackupKeys([old]).proof("a/0001")
    keys = BackupKeys([new, old])
    assert keys.proves("a/0001", by_old)
    assert keys.proves("a/0001", keys.proof("a/0001"))
    assert keys.proof("a/0001") != by_old
    assert not keys.proves("a/0002", by_old)
    assert not BackupKeys([new]).proves("a/0001", by_old)
    assert not keys.proves("a/0001", "ä")


def test_a_file_has_keys_and_comments(tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    file = key_file(tmp_path, f"# of November\n{first}\n\n{second}\n")
    assert read_keys(file, {"BACKUP_KEY": new_key()}).proof("x") == BackupKeys([first]).proof("x")


def test_a_variable_has_the_key() -> None:
    key = new_key()
    assert BackupKeys([key.lower()]).proof("x") == BackupKeys([key]).proof("x")
    assert read_keys(None, {"BACKUP_KEY": key}).proof("x") == BackupKeys([key]).proof("x")


@pytest.mark.parametrize("variables", [{}, {"BACKUP_KEY": ""}])
def test_without_a_key(variables: Mapping[str, str]) -> None:
    with pytest.raises(Failure, match="no key is given") as failure:
        read_keys(None, variables)
    assert "tenantgate keys backup" in failure.value.remedy


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1], lambda key: key[1:], lambda key: key + "Q", lambda _: "# nothing"]
)
def test_a_wrong_key_is_never_repeated(change: object) -> None:
    assert callable(change)
    text = change(new_key())
    with pytest.raises(Failure) as failure:
        read_keys(None, {"BACKUP_KEY": text})
    assert text not in str(failure.value) + failure.value.remedy


def test_a_key_file_that_others_can_read(tmp_path: Path) -> None:
    file = key_file(tmp_path, new_key(), 0o640)
    with pytest.raises(Failure, match="other users") as failure:
        read_keys(file, {})
    assert failure.value.remedy == f"chmod 600 {file}"


def test_a_key_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="can't be read: No such file"):
        read_keys(tmp_path / "none", {})
