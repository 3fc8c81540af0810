"""`tenantgate restore-drill`: lose and restore a database, and append a row to docs/recovery/LOG.md."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tenantgate_cli.backup.drill.run import LONGEST_LOSS, LONGEST_OUTAGE, Drilled, Plan, drill
from tenantgate_cli.backup.failures import explained
from tenantgate_cli.console import Failure, say
from tenantgate_cli.results import print_result
from tenantgate_cli.run_logs import PROCESSORS, append_row

_HEAD = f"""# Log of restore drills

`tenantgate restore-drill` appends a row for each run; don't edit this page. [RECOVERY.md](../RECOVERY.md#drill)
describes a run. "loss" (RPO): seconds of acknowledged writes that the restored server doesn't have, at most
{LONGEST_LOSS:g}. "outage" (RTO): seconds from the loss of the database until a user has signed in again, at most
{LONGEST_OUTAGE:g}; "of it restoring": until the files were restored. All on one machine.
"""


def run(plan: Plan, log: Path | None, *, as_json: bool) -> None:
    """Run a drill, and print and log its figures. Raises Failure if there is a finding."""
    # Not below a private folder: a server that root starts runs as another user.
    with tempfile.TemporaryDirectory(prefix="tenantgate-drill-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with explained("", folder):
            done = drill(plan, folder, _silent if as_json else _with_the_time)
    figures = figures_of(plan, done)
    if log is not None:
        append_row(log, _HEAD, figures)
    if as_json:
        print_result(ok=not done.findings, findings=done.findings, figures=figures)
    else:
        for title, value in figures.items():
            say(f"{title:>20}  {value}")
        for finding in done.findings:
            say(f"✗ {finding}")
    if done.findings:
        raise Failure(f"the drill has {len(done.findings)} findings")


def figures_of(plan: Plan, done: Drilled) -> dict[str, str]:
    """Return the figures of a run by their titles."""
    return {
        **PROCESSORS,
        "rows": f"{done.rows:,}",
        "copy, MB": f"{done.base_bytes / 1e6:,.1f}",
        "seconds of load": f"{plan.seconds:g}",
        "log archived every": f"{plan.every:g} s",
        "acknowledged writes": f"{done.acknowledged:,}",
        "of these lost": f"{done.lost:,}",
        "loss": f"{done.loss:.1f} s",
        "outage": f"{done.outage:.1f} s",
        "of it restoring": f"{done.restoring:.1f} s",
        "findings": str(len(done.findings)),
    }


def _with_the_time(text: str) -> None:
    say(f"{_now():%H:%M:%S} {text}")


def _silent(_: str) -> None:
    """Print no steps: standard output has only the JSON."""


def _now() -> datetime:
    return datetime.now(UTC)
