"""Encrypted files of a backup, written and read as streams.

A file is an age file. Its plaintext is one line, `{"file": name, "proof": …}`, and the gzip of the content:

    age --decrypt --identity backup.key FILE | tail --lines=+2 | gunzip

age encrypts in chunks of 64 KiB, whose order and end are authenticated. So a reader gets only genuine content, and an
error instead of the end of a file that was cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, override

import pyrage

from tenantgate_cli.backup.keys import BackupKeys
from tenantgate_cli.console import Failure

_GZIP = 31
_FAST = 1
_PIECE = 1 << 20
_LONGEST_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Sealed:
    """A complete file: its length in bytes and the SHA-256 of its encrypted form, in hexadecimal."""

    size: int
    sha256: str


class _Counted:
    """A file whose bytes are counted and digested. It keeps the error that Rust would turn into a text."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self._count(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._count(data)
        return data

    def flush(self) -> None:
        self._file.flush()

    def sealed(self) -> Sealed:
        return Sealed(self._size, self._digest.hexdigest())

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)


class _Work(threading.Thread):
    """One end of a pipe: pyrage reads or writes it in this thread."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.failure: BaseException | None = None

    @override
    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            self.failure = error

    def work(self) -> None:
        raise NotImplementedError


class _Encryption(_Work):
    def __init__(self, plain: IO[bytes], into: _Counted, keys: BackupKeys) -> None:
        super().__init__()
        self._plain, self._into, self._keys = plain, into, keys

    @override
    def work(self) -> None:
        with self._plain:
            pyrage.encrypt_io(self._plain, self._into, [self._keys.recipient])


class _Decryption(_Work):
    def __init__(self, sealed: _Counted, into: IO[bytes], keys: BackupKeys) -> None:
        super().__init__()
        self._sealed, self._into, self._keys = sealed, into, keys

    @override
    def work(self) -> None:
        with self._into:
            pyrage.decrypt_io(self._sealed, self._into, self._keys.identities)


class SealedWriter:
    """Encrypts into a new file. It is complete when the block ends without an error, and `sealed` describes it.

    `name`: the file's name in the backup, which its reader must know. Raises `OSError`, for example of a full disk.
    """

    def __init__(self, path: Path, name: str, keys: BackupKeys) -> None:
        self._path = path
        self._head = json.dumps({"file": name, "proof": keys.proof(name)}).encode() + b"\n"
        self._keys = keys
        self._gzip = zlib.compressobj(_FAST, wbits=_GZIP)
        self.sealed = Sealed(0, "")

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._counted = _Counted(self._file)
        reading, writing = os.pipe()
        self._pipe = os.fdopen(writing, "wb")
        self._work = _Encryption(os.fdopen(reading, "rb"), self._counted, self._keys)
        self._work.start()
        self._put(self._head)
        return self

    def write(self, data: bytes) -> None:
        """Add content."""
        self._put(self._gzip.compress(data))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._put(self._gzip.flush())
            self._close_pipe()
            self._work.join()
            if error is None:
                self._require_success()
                self._file.flush()
                os.fsync(self._file.fileno())
                self.sealed = self._counted.sealed()
        finally:
            self._close_pipe()
            with suppress(OSError):
                self._file.close()

    def _put(self, data: bytes) -> None:
        try:
            self._pipe.write(data)
        except BrokenPipeError:
            self._work.join()
            self._require_success()
            raise

    def _close_pipe(self) -> None:
        with suppress(BrokenPipeError):
            self._pipe.close()

    def _require_success(self) -> None:
        if self._counted.error is not None:
            raise self._counted.error
        if self._work.failure is not None:
            raise self._work.failure


class SealedReader:
    """Decrypts a file: `read` returns its content, and raises Failure if it isn't the file that was written.

    What `read` returns before the end is genuine, but only its end shows that nothing is missing. `expected`: the file
    as its manifest describes it.
    """

    def __init__(self, path: Path, name: str, keys: BackupKeys, expected: Sealed | None = None) -> None:
        self._path = path
        self._name = name
        self._keys = keys
        self._expected = expected
        self._gzip = zlib.decompressobj(wbits=_GZIP)
        self._content = b""

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise self._broken(os.strerror(error.errno or 0)) from None
        self._counted = _Counted(self._file)
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb")
        self._work = _Decryption(self._counted, os.fdopen(writing, "wb"), self._keys)
        self._work.start()
        try:
            self._require_head()
        except BaseException:
            self._close()
            raise
        return self

    def read(self, size: int = _PIECE) -> bytes:
        """Return up to `size` bytes of content, nothing at its end. Raises Failure."""
        while not self._content:
            piece = self._pipe.read(_PIECE)
            if not piece:
                self._require_end()
                return b""
            self._content = self._decompressed(piece)
        found, self._content = self._content[:size], self._content[size:]
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                # A format inside the content may end before the file.
                while self.read():
                    pass
        finally:
            self._close()

    def _decompressed(self, piece: bytes) -> bytes:
        try:
            content = self._gzip.decompress(piece)
        except zlib.error:
            raise self._broken("its content is damaged") from None
        if self._gzip.unused_data:
            raise self._broken("it has more than its content")
        return content

    def _require_head(self) -> None:
        line = self._pipe.readline(_LONGEST_HEAD)
        if not line.endswith(b"\n"):
            self._work.join()
            raise self._broken(self._reason())
        try:
            head = json.loads(line)
            name, proof = str(head["file"]), str(head["proof"])
        except (ValueError, KeyError, TypeError):
            raise self._broken("tenantgate didn't write it") from None
        if name != self._name:
            raise self._broken("it is another file of a backup")
        if not self._keys.proves(name, proof):
            raise self._broken("it was encrypted by someone who hasn't the key")

    def _require_end(self) -> None:
        self._work.join()
        if self._work.failure is not None or not self._gzip.eof:
            raise self._broken(self._reason())
        if self._expected is not None and self._counted.sealed() != self._expected:
            raise self._broken("it isn't the file of this backup")

    def _reason(self) -> str:
        if isinstance(self._work.failure, pyrage.DecryptError):
            return "the key is another one, or the file is damaged"
        return "it is damaged or cut off"

    def _broken(self, reason: str) -> Failure:
        return Failure(f"the file {self._path} can't be used: {reason}", "restore from another backup")

    def _close(self) -> None:
        self._pipe.close()
        self._work.join()
        self._file.close()


def require_checksum(path: Path, expected: Sealed) -> None:
    """Raise Failure unless the file has this length and checksum."""
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
    else:
        if Sealed(size, digest.hexdigest()) == expected:
            return
        reason = "it isn't the file of this backup, or it was changed"
    raise Failure(f"the file {path} can't be used: {reason}", "restore from another backup")
