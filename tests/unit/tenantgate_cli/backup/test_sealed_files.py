"""Encrypted files: whole, cut off, damaged, swapped, and written by someone without the key."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from tenantgate_cli.backup.keys import BackupKeys, new_key
from tenantgate_cli.backup.sealed_files import Sealed, SealedReader, SealedWriter, require_checksum
from tenantgate_cli.console import Failure

CONTENT = random.Random(1).randbytes(300_000)
KEY = new_key()
KEYS = BackupKeys([KEY])


def sealed_file(path: Path, content: bytes = CONTENT, name: str = "b/0001") -> Sealed:
    with SealedWriter(path, name, KEYS) as writer:
        for at in range(0, len(content), 70_000):
            writer.write(content[at : at + 70_000])
    return writer.sealed


def content_of(path: Path, name: str = "b/0001", keys: BackupKeys = KEYS, expected: Sealed | None = None) -> bytes:
    with SealedReader(path, name, keys, expected) as reader:
        return b"".join(iter(reader.read, b""))


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_a_file_is_read_as_it_was_written(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f"
    sealed = sealed_file(path, content)
    assert sealed.size == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    assert content_of(path, expected=sealed) == content
    require_checksum(path, sealed)


def test_age_and_gzip_read_it(tmp_path: Path) -> None:
    sealed_file(tmp_path / "f")
    plain = io.BytesIO()
    pyrage.decrypt_io(io.BytesIO((tmp_path / "f").read_bytes()), plain, [pyrage.x25519.Identity.from_str(KEY)])
    head, _, rest = plain.getvalue().partition(b"\n")
    assert json.loads(head)["file"] == "b/0001"
    assert gzip.decompress(rest) == CONTENT


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    sealed_file(tmp_path / "f", b"a secret of a tenant" * 1000)
    raw = (tmp_path / "f").read_bytes()
    assert b"secret" not in raw
    assert b"b/0001" not in raw


def cut(size: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:size]


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def chunks_of(raw: bytes) -> tuple[bytes, list[bytes]]:
    """The head of an age file with its nonce, and its chunks."""
    begin = raw.index(b"\n", raw.index(b"\n---") + 1) + 1 + 16
    return raw[:begin], [raw[at : at + 65_552] for at in range(begin, len(raw), 65_552)]


def cut_at_a_chunk(raw: bytes) -> bytes:
    head, chunks = chunks_of(raw)
    return head + b"".join(chunks[:2])


def reordered(raw: bytes) -> bytes:
    head, (first, second, *rest) = chunks_of(raw)
    return head + second + first + b"".join(rest)


@pytest.mark.parametrize(
    "change",
    [
        *(cut(size) for size in (0, 10, 100, 200, 70_000, 250_000, -16, -1)),
        *(flip(at) for at in (30, 180, 300, 70_000, 299_000, -1)),
        *(cut_at_a_chunk, reordered, lambda raw: raw + b"x", lambda raw: raw + raw),
        lambda _: os.urandom(5_000),
    ],
)
def test_a_changed_file_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "f"
    sealed = sealed_file(path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Failure, match="can't be used"):
        content_of(path)
    with pytest.raises(Failure, match="can't be used"):
        require_checksum(path, sealed)


def test_a_reader_that_stops_early_still_checks_the_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    sealed_file(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Failure, match="cut off"), SealedReader(path, "b/0001", KEYS) as reader:
        assert reader.read(10) == CONTENT[:10]


def test_another_file_of_the_same_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    sealed_file(path, name="b/0002")
    with pytest.raises(Failure, match="another file"):
        content_of(path)


def test_the_same_file_of_another_backup_is_refused_by_its_manifest(tmp_path: Path) -> None:
    path, other = tmp_path / "f", tmp_path / "g"
    expected = sealed_file(path)
    sealed_file(other)
    with pytest.raises(Failure, match="isn't the file of this backup"):
        content_of(other, expected=expected)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed_file(tmp_path / "f")
    with pytest.raises(Failure, match="the key is another one"):
        content_of(tmp_path / "f", keys=BackupKeys([new_key()]))


@pytest.mark.parametrize(
    "head", [{"file": "b/0001", "proof": "0" * 64}, {"file": "b/0001"}, ["b/0001"], {"file": "b/0001", "proof": None}]
)
def test_a_file_that_was_encrypted_without_the_key_is_refused(tmp_path: Path, head: object) -> None:
    """Anyone who has the public key can write an age file."""
    plain = json.dumps(head).encode() + b"\n" + gzip.compress(CONTENT)
    (tmp_path / "f").write_bytes(pyrage.encrypt(plain, [KEYS.recipient]))
    with pytest.raises(Failure, match=r"hasn't the key|tenantgate didn't write it"):
        content_of(tmp_path / "f")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(os, "open", lambda *_: full)

    def fails() -> None:
        with SealedWriter(Path("f"), "b/0001", KEYS) as writer:
            for _ in range(50):
                writer.write(os.urandom(100_000))

    with pytest.raises(OSError, match="No space left"):
        fails()
