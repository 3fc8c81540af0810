"""The archived write-ahead log (WAL) of a server, in `wal/<system id>/` of the folder of backups.

    000000010000000000000004.age            a complete segment
    000000010000000000000005.partial-12.age the one that is being written, up to the moment of the last look
    00000002.history                        the origin of a timeline, after a failover
    until.age                               the archive's end: its moment, and the exact file that has it

`until.age` is written after the file that it names. So a restoration notices a WAL that was cut off or exchanged for an
older one: PostgreSQL itself would take both for the end of the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tenantgate_cli.backup.folder import BackupFolder, synchronize
from tenantgate_cli.backup.sealed_files import Sealed, SealedReader, SealedWriter, require_checksum
from tenantgate_cli.console import Failure

SEGMENT = re.compile(r"[0-9A-F]{24}")
_HISTORY = re.compile(r"[0-9A-F]{8}\.history")
_PARTIAL = re.compile(r"(?P<segment>[0-9A-F]{24})\.partial-(?P<number>\d+)")
_UNTIL = "until"
_END = ".age"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Until:
    """Every transaction that was committed up to `moment` is in the archive, whose last file is `file`."""

    moment: datetime
    file: str
    sealed: Sealed


class WalArchive:
    """The archive of one server. `segment_bytes`: the size of its segments."""

    def __init__(self, folder: BackupFolder, system_id: str, segment_bytes: int) -> None:
        self._keys = folder.keys
        self._name = f"wal/{system_id}"
        self.path = folder.path / "wal" / system_id
        self._segment_bytes = segment_bytes

    def add(self, source: Path, name: str) -> Sealed:
        """Add a file under this name, replacing one: a reader sees the old one or the new one."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with source.open("rb") as file:
            return self._write(name, iter(lambda: file.read(_PIECE), b""))

    def add_partial(self, content: bytes, segment: str, number: int) -> tuple[str, Sealed]:
        """Add the written part of a segment, without the zeros that follow it. Return its name, and the file."""
        name = f"{segment}.partial-{number}"
        return name, self._write(name, iter([content]))

    def set_until(self, until: Until) -> None:
        """Declare the archive's end, and remove the earlier parts of segments."""
        values = {"moment": until.moment.isoformat(), "file": until.file, **asdict(until.sealed)}
        self._write(_UNTIL, iter([json.dumps(values).encode()]))
        for name in self._names():
            if _PARTIAL.fullmatch(name) and name != until.file:
                (self.path / f"{name}{_END}").unlink()

    def until(self) -> Until:
        """Return the archive's end. Raises Failure unless it is known, and its file is there."""
        with self._reader(_UNTIL) as file:
            values = json.loads(b"".join(iter(file.read, b"")))
        until = Until(
            datetime.fromisoformat(values["moment"]), values["file"], Sealed(values["size"], values["sha256"])
        )
        require_checksum(self.path / f"{until.file}{_END}", until.sealed)
        return until

    def segments(self) -> list[str]:
        """Return the names of the complete segments, oldest first."""
        return [name for name in self._names() if SEGMENT.fullmatch(name)]

    def last_segment(self) -> str | None:
        """Return the newest segment, complete or not."""
        found = [match["segment"] for name in self._names() if (match := _PARTIAL.fullmatch(name))]
        return max([*self.segments(), *found], default=None)

    def last_partial(self) -> int:
        """Return the highest number of a part."""
        return max((int(match["number"]) for name in self._names() if (match := _PARTIAL.fullmatch(name))), default=0)

    def follows(self, segment: str) -> bool:
        """Tell whether no segment is missing between the archive and this one."""
        last = self.last_segment()
        return last is not None and last[:8] == segment[:8] and self.number(segment) <= self.number(last) + 1

    def number(self, segment: str) -> int:
        """Return the place of a segment in the log, without its timeline."""
        per_file = 2**32 // self._segment_bytes
        return int(segment[8:16], 16) * per_file + int(segment[16:], 16)

    def extract(self, into: Path, *, first: str) -> Until:
        """Write the log from segment `first` to the archive's end into a folder, as PostgreSQL reads it.

        Raises Failure if any of it is missing or changed.
        """
        until = self.until()
        names = self._names()
        needed = [name for name in names if _HISTORY.fullmatch(name)]
        needed += [name for name in self.segments() if self.number(name) >= self.number(first)]
        partial = _PARTIAL.fullmatch(until.file)
        numbers = {self.number(name) for name in needed if SEGMENT.fullmatch(name)}
        end = partial["segment"] if partial else until.file
        missing = set(range(self.number(first), self.number(end) + (0 if partial else 1))) - numbers
        if missing:
            raise Failure(
                f"{len(missing)} segments of the write-ahead log are missing after {first}",
                "restore the newest dump, or an earlier base with --at",
            )
        for name in needed:
            self._extract(name, into / name)
        if partial and not (into / partial["segment"]).exists():
            self._extract(until.file, into / partial["segment"], padded=True)
        return until

    def remove_before(self, segment: str) -> None:
        """Remove the segments that no base needs any more."""
        for name in self.segments():
            if self.number(name) < self.number(segment):
                (self.path / f"{name}{_END}").unlink()

    def _extract(self, name: str, into: Path, *, padded: bool = False) -> None:
        with self._reader(name) as reader, into.open("wb") as file:
            while piece := reader.read():
                file.write(piece)
            if padded:
                file.truncate(self._segment_bytes)

    def _reader(self, name: str) -> SealedReader:
        return SealedReader(self.path / f"{name}{_END}", f"{self._name}/{name}", self._keys)

    def _names(self) -> list[str]:
        if not self.path.is_dir():
            return []
        return sorted(path.name.removesuffix(_END) for path in self.path.iterdir() if path.name.endswith(_END))

    def _write(self, name: str, pieces: Iterator[bytes]) -> Sealed:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.path / f".unfinished-{name}"
        with suppress(FileNotFoundError):
            new.unlink()
        try:
            with SealedWriter(new, f"{self._name}/{name}", self._keys) as file:
                for piece in pieces:
                    file.write(piece)
            new.replace(self.path / f"{name}{_END}")
        finally:
            with suppress(FileNotFoundError):
                new.unlink()
        synchronize(self.path)
        return file.sealed
