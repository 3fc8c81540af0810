"""Kill containers and commands during thousands of acts, and append a row to docs/crashes/PROCESSES.md.

    python -m tests.functional.crashes.processes --acts 10_000

The exit code is 1 if an act had no audit event, an event no act, or an acknowledged act wasn't there.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import PostgresServer
from tests.functional.crashes.acting import Acts, run_acts

LOG = ROOT / "docs" / "crashes" / "PROCESSES.md"
_HEAD = """# Log of kills of servers between an act and its response

`python -m tests.functional.crashes.processes` appends a row for each run; don't edit this page.
[RELIABILITY.md](../RELIABILITY.md#a-server-is-killed-between-an-act-and-its-response) describes a run. "of these
committed": acts that happened though their caller got no response.
"""


def add_row(done: Acts, seconds: float, log: Path = LOG) -> None:
    """Add a run to the log."""
    figures = {
        **PROCESSORS,
        "seconds": f"{seconds:,.0f}",
        "acts": f"{done.acts:,}",
        "kills": f"{done.kills:,}",
        "acknowledged": f"{done.acknowledged:,}",
        "without a response": f"{done.unanswered:,}",
        "of these committed": f"{done.committed:,}",
        "events": f"{done.events:,}",
        "findings": f"{len(done.found):,}",
    }
    append_row(log, _HEAD, figures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="crashes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--acts", type=int, default=10_000)
    parser.add_argument("--containers", type=int, default=3)
    parser.add_argument("--people", type=int, default=6, help="who use the product at the same time")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedPostgres(folder / "postgres") as server, EmbeddedValkey(folder / "valkey") as valkey:
            urls = PostgresServer(server.start()).create_database()
            done = run_acts(
                urls,
                valkey.start(),
                folder,
                acts=options.acts,
                containers=options.containers,
                people=options.people,
                progress=_say,
            )
    add_row(done, time.monotonic() - began)
    for finding in done.found[:20]:
        _say(finding)
    _say(f"{done.acts:,} acts, {done.events:,} events, {len(done.found):,} findings")
    return 1 if done.found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
