"""Read the log files of the functions, in order of time over all of them.

A line of the product is JSON with a timestamp. Any other line, such as that of a `print`, belongs to the time of the
line before it in its file.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tenantgate.observability.redaction import redact, redact_text

# Characters of a line that are read; the rest is dropped.
_LONGEST = 64 * 1024
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# The runtime client's report of the exception with which an authorizer requests a 401. The decision's line says more.
_UNAUTHORIZED = "Unauthorized"


class LogLine(NamedTuple):
    """One line. `record` is None if it isn't JSON. Both may have any content: functions write what they like.

    They may also have secrets that other code than the product's logged: `shown` masks them.
    """

    time: str
    function: str
    record: dict[str, Any] | None
    text: str

    def member(self, name: str) -> str:
        """Return a member that is a text; empty without one."""
        value = self.record.get(name) if self.record is not None else None
        return value if isinstance(value, str) else ""

    @property
    def context(self) -> dict[str, Any]:
        context = self.record.get("context") if self.record is not None else None
        return context if isinstance(context, dict) else {}

    def shown(self) -> LogLine:
        """Return the line without secrets. That takes much longer than to read the line."""
        record = redact(self.record) if self.record is not None else None
        return self._replace(record=record if isinstance(record, dict) else None, text=redact_text(self.text))

    @property
    def is_noise(self) -> bool:
        """The runtime client's report of a rejected credential."""
        return self.member("errorMessage") == _UNAUTHORIZED and bool(self.member("requestId"))


def functions_with_logs(folder: Path) -> list[str]:
    """Return the names of the functions that wrote lines in the last run."""
    return sorted(path.stem for path in folder.glob("*.log"))


def log_lines(folder: Path, functions: Sequence[str], containing: Collection[str] | None = None) -> Iterator[LogLine]:
    """Yield the lines of these functions in order of time; with `containing`, only those with one of these texts."""
    return heapq.merge(*(_lines_of(folder, name, containing) for name in functions), key=lambda line: line.time)


def followed(folder: Path, functions: Sequence[str], *, every: float = 0.3) -> Iterator[LogLine]:
    """Yield the lines of these functions, or of all, and without end those that follow.

    Files may appear later, and start over.
    """
    places: dict[str, tuple[int, int]] = {}
    while True:
        new: list[LogLine] = []
        for name in functions or functions_with_logs(folder):
            lines, places[name] = _new_lines(folder, name, places.get(name, (0, 0)))
            new += lines
        yield from sorted(new, key=lambda line: line.time)
        time.sleep(every)


def read_line(function: str, text: str, before: str = "") -> LogLine:
    """Read one line. `before` is the time of the line before it."""
    text = text[:_LONGEST]
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return LogLine(before, function, None, text)
    at = record.get("timestamp")
    known = at if isinstance(at, str) and _TIME.fullmatch(at) else before
    return LogLine(known, function, record, text)


def _lines_of(folder: Path, name: str, containing: Collection[str] | None) -> Iterator[LogLine]:
    before = ""
    try:
        file = _path(folder, name).open(encoding="utf-8", errors="replace", newline="\n")
    except OSError:
        return
    with file:
        for text in file:
            if not text.strip() or (containing is not None and not any(part in text for part in containing)):
                continue
            line = read_line(name, text.rstrip("\n"), before)
            before = line.time
            yield line


def _new_lines(folder: Path, name: str, place: tuple[int, int]) -> tuple[list[LogLine], tuple[int, int]]:
    """Return the complete lines after a place (the file's number, and a position), and the place after them."""
    try:
        with _path(folder, name).open("rb") as file:
            number, position = place
            stat = os.fstat(file.fileno())
            if stat.st_ino != number or stat.st_size < position:
                number, position = stat.st_ino, 0
            file.seek(position)
            data = file.read()
    except OSError:
        return [], (0, 0)
    complete = data[: data.rfind(b"\n") + 1]
    texts = complete.decode("utf-8", "replace").split("\n")
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return [read_line(name, text, now) for text in texts if text.strip()], (number, position + len(complete))


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"
