"""The short form of `tenantgate restore-drill`: RPO and RTO, everything restored, and a sign-in afterwards."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from tenantgate_cli.backup.drill.run import Drilled, Plan
from tenantgate_cli.commands.restore_drill import figures_of
from tenantgate_cli.main import app


def test_a_lost_database_is_restored_and_a_user_signs_in() -> None:
    command = ["restore-drill", "--seconds", "3", "--sessions", "200", "--every", "1", "--no-log", "--json"]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0, ran.output
    result = json.loads(ran.stdout.splitlines()[0])
    assert result["findings"] == []
    assert int(result["figures"]["acknowledged writes"].replace(",", "")) > 10


def test_a_drills_figures_have_their_units() -> None:
    done = Drilled(rows=1_234, base_bytes=5_000_000, acknowledged=400, lost=8, loss=0.5, restoring=15.0, outage=26.0)
    figures = list(figures_of(Plan(6, 1, 500), done).values())[1:]
    assert figures == ["1,234", "5.0", "6", "1 s", "400", "8", "0.5 s", "26.0 s", "15.0 s", "0"]


def test_a_finding_is_noted_only_if_it_is_one() -> None:
    done = Drilled()
    done.require(True, "nothing")
    done.require(False, "something")
    assert done.findings == ["something"]
