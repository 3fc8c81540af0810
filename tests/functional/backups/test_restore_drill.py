"""The short form of `tenantgate restore-drill`: RPO and RTO, everything restored, and a sign-in afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tenantgate_cli.backup.drill.run import Drilled, Plan
from tenantgate_cli.commands.restore_drill import append, figures_of
from tenantgate_cli.main import app


def test_a_lost_database_is_restored_and_a_user_signs_in() -> None:
    command = ["restore-drill", "--seconds", "3", "--sessions", "200", "--every", "1", "--no-log", "--json"]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0, ran.output
    result = json.loads(ran.stdout.splitlines()[0])
    assert result["findings"] == []
    assert int(result["figures"]["acknowledged writes"].replace(",", "")) > 10


def test_the_log_has_a_row_for_each_run(tmp_path: Path) -> None:
    log = tmp_path / "recovery" / "LOG.md"
    done = Drilled(rows=1_234, base_bytes=5_000_000, acknowledged=400, lost=8, loss=0.5, restoring=15.0, outage=26.0)
    for _ in range(2):
        append(log, figures_of(Plan(6, 1, 500), done))
    text = log.read_text(encoding="utf-8")
    assert text.startswith("# Log of restore drills\n")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert len({row.count("|") for row in rows}) == 1
    assert "| 1,234 | 5.0 | 6 | 1 s | 400 | 8 | 0.5 s | 26.0 s | 15.0 s | 0 |" in rows[-1]


def test_a_finding_is_noted_only_if_it_is_one() -> None:
    done = Drilled()
    done.require(True, "nothing")
    done.require(False, "something")
    assert done.findings == ["something"]
