"""The logs of long runs, such as docs/races/LOG.md: a Markdown page with a table, to which each run adds a row."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

# The number of processors belongs to the figures of a run, in the column of the caller's choice.
PROCESSORS = {"processors": str(os.cpu_count())}


def append_row(log: Path, head: str, figures: Mapping[str, str]) -> None:
    """Add a row with the date and `figures`. A new log begins with `head` and the titles of the figures."""
    row = {"date (UTC)": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", **figures}
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        text = log.read_text(encoding="utf-8")
    else:
        text = f"{head}\n| {' | '.join(row)} |\n|---|{'--:|' * len(figures)}\n"
    log.write_text(f"{text}| {' | '.join(row.values())} |\n", encoding="utf-8")
