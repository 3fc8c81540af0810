"""The log of what was run: one row of a Markdown table for each run, written by the runner alone, and their sum."""

from __future__ import annotations

import fcntl
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LOG = ROOT / "docs" / "fuzzing" / "LOG.md"
FINDINGS = ROOT / ".local" / "fuzz" / "findings"

_HEAD = """# Fuzzing log

`make fuzz` appends a row for each run; nobody else writes here. [README.md](README.md) says what the targets are. Times
are those of the wall, on whatever machine it was, often beside other work.

{total}

| date (UTC) | target | runs | seconds | seed | findings | remarks |
|---|---|--:|--:|--:|--:|---|
"""
_ROW = re.compile(r"\| \d{4}-[^|]*\| ([^|]+?) \| ([\d,]+) \| ([\d,]+) \|")


class Row(NamedTuple):
    target: str
    runs: int
    seconds: float
    seed: int
    findings: int
    remarks: str = ""

    def __str__(self) -> str:
        date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        remarks = self.remarks.replace("|", "/").replace("\n", " ")
        return (
            f"| {date} | {self.target} | {self.runs:,} | {self.seconds:,.0f} | {self.seed} | {self.findings} "
            f"| {remarks} |"
        )


def total(rows: list[str]) -> str:
    """The line that sums the rows up; raises `ValueError` for a row of another form."""
    runs: dict[str, int] = {}
    seconds = 0
    for row in rows:
        if (match := _ROW.match(row)) is None:
            raise ValueError(f"{LOG} has a row that no runner wrote: {row}")
        runs[match[1]] = runs.get(match[1], 0) + int(match[2].replace(",", ""))
        seconds += int(match[3].replace(",", ""))
    each = ", ".join(f"{target} {number:,}" for target, number in sorted(runs.items()))
    return f"Up to now: {sum(runs.values()):,} runs in {seconds / 3600:.1f} hours ({each})."


def rows_of(text: str) -> list[str]:
    """The rows of a log's text, without the table's head."""
    return text.partition("|---|---|--:|--:|--:|--:|---|\n")[2].splitlines()


def append(row: Row, log: Path = LOG) -> None:
    """Add a row, and the sum anew. Two runners at once take turns."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        rows = [*rows_of(file.read()), str(row)]
        text = _HEAD.format(total=total(rows)) + "".join(f"{line}\n" for line in rows)
        file.seek(0)
        file.truncate()
        file.write(text)


def keep_finding(name: str, data: bytes) -> Path:
    """Write the input of a finding where `python -m fuzz replay` takes it from."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / name
    path.write_bytes(data)
    return path
