"""Run races of refreshes, and append a row to docs/races/LOG.md.

    python -m races --races 10000 --callers 8 --processes 4

The exit code is 1 if any race broke a property. docs/races/README.md describes them.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from races.coordinator import ROOT, Run, run_races
from tenantgate_cli.run_logs import PROCESSORS, append_row

LOG = ROOT / "docs" / "races" / "LOG.md"
_HEAD = """# Log of refresh races

`make races` appends a row for each run; don't edit this page. [README.md](README.md) describes a race. Times are wall
times, with PostgreSQL on the same machine.
"""


def append(run: Run, log: Path = LOG) -> None:
    """Add a row to the log."""
    figures = {
        "races": f"{run.races:,}",
        "callers": str(run.callers),
        "processes": str(run.processes),
        **PROCESSORS,
        "seconds": f"{run.seconds:,.0f}",
        "redemptions": f"{run.redemptions:,}",
        "findings": str(len(run.findings)),
    }
    append_row(log, _HEAD, figures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="races", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--races", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=8, help="of each race; a multiple of the processes")
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    if options.races < 1 or options.processes < 1 or options.callers < 1 or options.callers % options.processes:
        parser.error("there must be a race, and each process must have the same number of callers")
    from tenantgate.database import migrator  # noqa: PLC0415  (slow to import, and not needed for --help)
    from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres  # noqa: PLC0415

    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as server:
        addresses = server.start()
        migrator.upgrade(addresses.owner_url)
        run = asyncio.run(
            run_races(
                addresses.app_url,
                races=options.races,
                callers=options.callers,
                processes=options.processes,
                progress=_progress,
            )
        )
    append(run)
    _say(f"{run.races:,} races in {run.seconds:,.0f} s, {run.redemptions:,} redemptions, {len(run.findings)} findings")
    for finding in run.findings[:20]:
        _say(finding)
    return 1 if run.findings else 0


def _progress(done: int) -> None:
    if done % 500 == 0:
        _say(f"{done:,} races")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
