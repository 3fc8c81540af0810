"""The log of all runs: a Markdown table with a row per run and the totals, written only by the runner."""

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

`make fuzz` appends a row for each run; don't edit this page. [README.md](README.md) describes the targets. Times are
wall times on various machines, often with other load.

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
    """Return the line with the totals; raise `ValueError` for a malformed row."""
    runs: dict[str, int] = {}
    seconds = 0
    for row in rows:
        if (match := _ROW.match(row)) is None:
            raise ValueError(f"{LOG} has a row that the runner did not write: {row}")
        runs[match[1]] = runs.get(match[1], 0) + int(match[2].replace(",", ""))
        seconds += int(match[3].replace(",", ""))
    each = ", ".join(f"{target} {number:,}" for target, number in sorted(runs.items()))
    return f"Total: {sum(runs.values()):,} runs in {seconds / 3600:.1f} hours ({each})."


def rows_of(text: str) -> list[str]:
    """Return the rows of a log's text, without the table's head."""
    return text.partition("|---|---|--:|--:|--:|--:|---|\n")[2].splitlines()


def append(row: Row, log: Path = LOG) -> None:
    """Add a row and update the totals; concurrent runners take turns."""
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
    """Write the input of a finding for `python -m fuzz replay`."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / name
    path.write_bytes(data)
    return path
