"""Kill, freeze and empty Valkey during a million decisions, and append a row to docs/crashes/VALKEY.md.

    python -m tests.functional.crashes.valkey --decisions 1_000_000

The exit code is 1 if a decision was wrong, or if anything else was not as docs/RELIABILITY.md says.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import QUICK, PostgresServer
from tests.functional.crashes.decisions import FAULTS, Decisions, Fault, run_decisions

LOG = ROOT / "docs" / "crashes" / "VALKEY.md"
_HEAD = """# Log of decisions without a reliable Valkey

`python -m tests.functional.crashes.valkey` appends a row for each run; don't edit this page.
[RELIABILITY.md](../RELIABILITY.md#valkey-is-killed-frozen-or-emptied) describes a run. "latest allowed": seconds
after the record of a revocation at which its credential was last allowed. "recovered": seconds from the end of a fault
until each authorizer has allowed a token and a cookie, and has made every decision since.
"""
_LONGEST_FAULT = 7.0
_LONGEST_CALM = 6.0


def add_row(done: Decisions, seconds: float, *, deciders: int, log: Path = LOG) -> None:
    """Add a run to the log."""
    figures = {
        **PROCESSORS,
        "seconds": f"{seconds:,.0f}",
        "authorizers": f"{deciders}",
        "allowed": f"{done.allowed:,}",
        "refused": f"{done.refused:,}",
        "no decision": f"{done.undecided:,}",
        "wrong": f"{done.wrong:,}",
        "revocations": f"{done.revoked:,}",
        "latest allowed": f"{done.latest:.2f}",
        "faults": f"{done.faults:,}",
        "recovered, median": f"{statistics.median(done.recovered):.2f}",
        "recovered, slowest": f"{max(done.recovered):.2f}",
        "findings": f"{len(done.found):,}",
    }
    append_row(log, _HEAD, figures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="crashes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--decisions", type=int, default=1_000_000, help="requests that are allowed or refused")
    parser.add_argument("--deciders", type=int, default=3, help="processes, each an authorizer")
    parser.add_argument("--credentials", type=int, default=8_000, help="more than are revoked meanwhile, 5 a second")
    options = parser.parse_args()
    # The product's warnings of each fault.
    logging.disable(logging.WARNING)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            EmbeddedPostgres(folder / "postgres", settings=QUICK) as server,
            EmbeddedValkey(folder / "valkey") as valkey,
        ):
            done = asyncio.run(
                run_decisions(
                    PostgresServer(server.start()).create_database().app_url,
                    valkey,
                    folder,
                    decisions=options.decisions,
                    faults=_faults,
                    calm=_LONGEST_CALM,
                    deciders=options.deciders,
                    credentials=options.credentials,
                    progress=_say,
                )
            )
    add_row(done, time.monotonic() - began, deciders=options.deciders)
    for finding in done.found[:20]:
        _say(finding)
    _say(f"{done.allowed + done.refused:,} decisions, {done.wrong:,} wrong")
    return 1 if done.wrong or done.found else 0


def _faults() -> Iterator[tuple[Fault, float]]:
    """Return faults in turn; some last for longer than the list of revocations counts."""
    for fault in itertools.cycle(FAULTS):
        yield fault, random.random() * _LONGEST_FAULT


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
