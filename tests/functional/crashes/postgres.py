"""Kill PostgreSQL many times under load, and append a row to docs/crashes/POSTGRESQL.md.

    python -m tests.functional.crashes.postgres --kills 100

The exit code is 1 if an acknowledged write was lost, or if anything else was not as docs/RELIABILITY.md says.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.functional.crashes.outages import Outages, run_outages

LOG = ROOT / "docs" / "crashes" / "POSTGRESQL.md"
_HEAD = """# Log of kills of PostgreSQL

`python -m tests.functional.crashes.postgres` appends a row for each run; don't edit this page.
[RELIABILITY.md](../RELIABILITY.md#postgresql-is-killed) describes a run. "healthy": seconds from the moment at which
PostgreSQL accepts connections again until the container is ready and every flow works. "sessions ended": those whose
refresh an outage interrupted, so that the provider's new token was lost.
"""


def add_row(done: Outages, seconds: float, log: Path = LOG) -> None:
    """Add a run to the log."""
    figures = {
        **PROCESSORS,
        "seconds": f"{seconds:,.0f}",
        "kills": f"{done.kills:,}",
        "requests": f"{done.requests:,}",
        "acknowledged writes": f"{done.acknowledged:,}",
        "of these lost": f"{len(done.lost):,}",
        "sessions ended": f"{done.gone:,}",
        "healthy, median": f"{statistics.median(done.healthy):.2f}",
        "healthy, slowest": f"{max(done.healthy):.2f}",
        "slowest response": f"{done.slowest_response:.1f}",
        "findings": f"{len(done.found):,}",
    }
    append_row(log, _HEAD, figures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="crashes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--people", type=int, default=6, help="who use the product at the same time")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # With its default settings: a commit is on disk before its response.
        with EmbeddedPostgres(folder / "postgres") as server, EmbeddedValkey(folder / "valkey") as valkey:
            done = run_outages(
                server, valkey.start(), folder, kills=options.kills, people=options.people, progress=_say
            )
    add_row(done, time.monotonic() - began)
    for finding in [*done.lost[:20], *done.found[:20]]:
        _say(finding)
    _say(f"{done.kills:,} kills, {done.acknowledged:,} acknowledged writes, {len(done.lost):,} lost")
    return 1 if done.lost or done.found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
