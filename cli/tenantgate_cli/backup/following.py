"""Follow a server: its write-ahead log all the time, and a base once a day."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import asyncpg

from tenantgate_cli.backup.bases import take_base
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.manifest import Manifest
from tenantgate_cli.backup.sealed_files import Sealed
from tenantgate_cli.backup.wal_files import SEGMENT, Until, WalArchive
from tenantgate_cli.backup.wal_stream import WalStream, origin
from tenantgate_cli.console import Failure

type Progress = Callable[[str], None]
_PARTIAL = ".partial"
_BEGIN_SECONDS = 30.0
# A segment may be completed between a look at the folder and reading its file.
_SCANS = 5
_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Pace:
    """`every`: seconds between two looks, the RPO while the server is reached. `base_hours`: until the next base.

    `keep`: the number of bases that are kept.
    """

    every: float = 10.0
    base_hours: float = 24.0
    keep: int = 3


class Follower:
    """Archives the log of the server of `url`."""

    def __init__(self, url: str, folder: BackupFolder, pace: Pace, progress: Progress) -> None:
        self._url = url
        self._folder = folder
        self._pace = pace
        self._progress = progress
        self._found = origin(url)
        server = self._found.server
        self._archive = WalArchive(folder, server.system_id, server.segment_bytes)
        self._archived: set[str] = set()
        self._last: tuple[str, Sealed] | None = None
        self._part = (self._archive.last_partial(), b"")
        self._base_until = self._end_of_base()
        self.until: datetime | None = None

    def follow(self, stopped: Callable[[float], bool]) -> None:
        """Follow until `stopped(seconds)`, which waits for this time, returns True. Raises Failure, `OSError`.

        While the server is away, it waits for it; it raises only if the folder can't be written.
        """
        with WalStream(self._url, self._found.major) as stream:
            first = self._first_segment(stream, stopped)
            continues = first is not None and self._archive.follows(first)
            if not continues and (last := self._archive.last_segment()) is not None:
                self._progress(f"the archive ends at {last}, the stream begins at {first}: another copy is needed")
            while first is not None:
                # The stream runs already: a base needs the log from its begin.
                if not continues or time.time() >= self._base_until:
                    continues = self._took_base() or continues
                self._look(stream)
                ends = stopped(self._pace.every)
                if ends:
                    self._look(stream)
                    return
                # If the server no longer has the next segment, only another base closes the gap.
                continues = not stream.run() and continues

    def _first_segment(self, stream: WalStream, stopped: Callable[[float], bool]) -> str | None:
        """Wait for the first file of the stream. None: stopped. Raises Failure."""
        deadline = time.monotonic() + _BEGIN_SECONDS
        while not (found := sorted(path.name for path in stream.spool.iterdir())):
            if time.monotonic() > deadline:
                raise Failure(f"the stream doesn't begin: {stream.problem()}", "allow replication in pg_hba.conf")
            if stopped(0.1):
                return None
        return found[0].partition(".")[0]

    def _look(self, stream: WalStream) -> None:
        """Archive what the stream has, and declare up to which moment that is everything."""
        try:
            moment = stream.caught_up()
        except _UNREACHABLE as error:
            self._interrupted(f"the server can't be reached: {type(error).__name__}")
            # The stream may have more than at the last look, which may be the last of a lost server.
            self._ship(stream)
            if self.until is not None and self._last is not None:
                self._archive.set_until(Until(self.until, *self._last))
            return
        self._ship(stream)
        if moment is None or self._last is None:
            self._interrupted(stream.problem())
            return
        self._archive.set_until(Until(moment.astimezone(UTC), *self._last))
        self.until = moment.astimezone(UTC)

    def _ship(self, stream: WalStream) -> None:
        """Archive complete segments, and the part of the next one that is written."""
        for _ in range(_SCANS):
            names = sorted(path.name for path in stream.spool.iterdir())
            complete = [name for name in names if not name.endswith(_PARTIAL)]
            for name in complete:
                if name not in self._archived:
                    sealed = self._archive.add(stream.spool / name, name)
                    self._archived.add(name)
                    if SEGMENT.fullmatch(name):
                        self._last = name, sealed
                        self._progress(f"segment {name} archived")
            # The newest one shows the program where to continue.
            for name in complete[:-1]:
                (stream.spool / name).unlink()
            try:
                self._ship_part(stream, names)
            except FileNotFoundError:
                # It was completed meanwhile.
                continue
            return

    def _ship_part(self, stream: WalStream, names: Sequence[str]) -> None:
        part = max((name for name in names if name.endswith(_PARTIAL)), default=None)
        if part is None:
            return
        content = (stream.spool / part).read_bytes().rstrip(b"\0")
        number, known = self._part
        digest = sha256(part.encode() + content).digest()
        if content and digest != known:
            self._last = self._archive.add_partial(content, part.removesuffix(_PARTIAL), number + 1)
            self._part = number + 1, digest

    def _took_base(self) -> bool:
        try:
            manifest = take_base(self._url, self._folder, self._found)
        except Failure as failure:
            self._interrupted(str(failure))
            return False
        except _UNREACHABLE as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                raise
            self._interrupted(f"no base could be taken: {type(error).__name__}")
            return False
        self._progress(f"{manifest.name}: {manifest.size:,} bytes, revision {manifest.revision}")
        self._base_until = self._end_of_base()
        self._remove_old()
        return True

    def _bases(self) -> list[Manifest]:
        manifests = [self._folder.manifest(name) for name in self._folder.names() if name.endswith("-base")]
        mine = self._found.server.system_id
        return [one for one in manifests if one.server is not None and one.server.system_id == mine]

    def _end_of_base(self) -> float:
        """Return the epoch second at which another base is due."""
        bases = self._bases()
        return bases[-1].moment.timestamp() + self._pace.base_hours * 3600 if bases else 0.0

    def _remove_old(self) -> None:
        bases = self._bases()
        for one in bases[: -self._pace.keep]:
            self._folder.remove(one.name)
            self._progress(f"removed {one.name}")
        oldest = bases[-self._pace.keep :][0].server
        if oldest is not None:
            self._archive.remove_before(oldest.first_segment)

    def _interrupted(self, reason: str) -> None:
        since = "" if self.until is None else f" since {self.until:%H:%M:%S}"
        self._progress(f"✗ nothing is archived{since}: {reason}")
