"""The logs of the long forms in docs/crashes/: a table to which each run adds a row."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tenantgate_cli.paths import ROOT

FOLDER = ROOT / "docs" / "crashes"


def append(log: Path, head: str, figures: Mapping[str, str]) -> None:
    """Add a row to the log, which begins with `head` and the names of the figures."""
    log.parent.mkdir(parents=True, exist_ok=True)
    row = {"date (UTC)": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"), "processors": str(os.cpu_count()), **figures}
    text = (
        log.read_text(encoding="utf-8")
        if log.exists()
        else f"{head}\n| {' | '.join(row)} |\n|---|{'--:|' * (len(row) - 1)}\n"
    )
    log.write_text(f"{text}| {' | '.join(row.values())} |\n", encoding="utf-8")
