"""The log of long runs: its head, and a row for each run."""

from __future__ import annotations

import re
from pathlib import Path

from tenantgate_cli.run_logs import append_row


def test_a_new_log_begins_with_its_head_and_each_run_adds_a_row(tmp_path: Path) -> None:
    log = tmp_path / "new" / "LOG.md"
    for seconds in ("1", "2"):
        append_row(log, "# Log of walks\n", {"steps": "1,000", "seconds": seconds})
    head, rows = log.read_text(encoding="utf-8").split("|---|--:|--:|\n")
    assert head == "# Log of walks\n\n| date (UTC) | steps | seconds |\n"
    dates = r"\| \d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(rf"{dates} \| 1,000 \| 1 \|\n{dates} \| 1,000 \| 2 \|\n", rows)


def test_an_existing_log_keeps_its_text(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    log.write_text("# An older head\n\n| date | steps |\n|---|---|\n", encoding="utf-8")
    append_row(log, "# Log of walks\n", {"steps": "7"})
    assert log.read_text(encoding="utf-8").startswith("# An older head\n\n| date | steps |\n|---|---|\n| 2")
