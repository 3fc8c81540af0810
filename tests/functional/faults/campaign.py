"""The long form of the fault matrix, which appends a row to docs/faults/LOG.md.

    python -m tests.functional.faults.campaign --repeat 10 --losses 500

Each cell runs `--repeat` times together with the others and, unless it takes long, separately. Then a link is lost
`--losses` times after a random number of bytes: the flows must work or end with a stated error. The exit code is 1 if
anything is not as stated.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import QUICK, PostgresServer, execute
from tests.fixtures.faults.fault import Fault
from tests.fixtures.faults.flows import Flow, Flows, Ran
from tests.fixtures.faults.proxy import BOTH
from tests.fixtures.faults.stack import FaultStack, Link, fault_stack
from tests.functional.faults.matrix import FLOWS, KINDS, LINKS, LONG_SECONDS, RECOVERY, cell, midway
from tests.functional.faults.periods import findings, recover, run_period

LOG = ROOT / "docs" / "faults" / "LOG.md"
_HEAD = """# Log of fault campaigns

`python -m tests.functional.faults.campaign` appends a row for each run; don't edit this page.
[RELIABILITY.md](../RELIABILITY.md#a-link-fails) describes the cells. "losses": links lost after a random number of
bytes. "slowest recovery": seconds from the end of a fault until every flow worked again.
"""
# Longer than every response; shorter ones are more frequent.
_MOST_BYTES = 6000


class Campaign(NamedTuple):
    """The number of cells and losses that ran, and the deviations from the matrix."""

    cells: int
    losses: int
    slowest_recovery: float
    found: list[str]


def run_campaign(stack: FaultStack, flows: Flows, admin_url: str, *, repeat: int, losses: int) -> Campaign:
    """Run every cell, and lose links at random moments. `admin_url`: of the database."""
    cells, slowest, found = 0, 0.0, list[str]()
    for link, kind in [(link, kind) for _ in range(repeat) for link in LINKS for kind in KINDS]:
        _shorten(admin_url)
        alone = [(flow,) for flow in FLOWS if cell(link, kind, flow).within <= LONG_SECONDS]
        for chosen in (FLOWS, *alone):
            ran = run_period(stack, flows, link, kind, chosen=chosen)
            cells += len(ran)
            found += findings(link, kind, ran)
            slowest = max(slowest, _recovered(flows, link, ran, found))
        _say(f"{link}, {kind}: {len(found)} findings so far")
    for number in range(losses):
        link = random.choice(LINKS)
        slowest = max(slowest, _lose(stack, flows, link, found))
        if number % 100 == 99:
            _say(f"{number + 1} losses: {len(found)} findings so far")
    found += [line for line in stack.container.log.read_text(encoding="utf-8").splitlines() if '"SYS_003"' in line]
    return Campaign(cells, losses, slowest, found)


def _shorten(admin_url: str) -> None:
    """Empty the list of revocations: the limits of slow links are those with a short one."""
    execute(admin_url, "DELETE FROM revocations", "UPDATE revocation_epoch SET epoch = epoch + 1")


def _lose(stack: FaultStack, flows: Flows, link: Link, found: list[str]) -> float:
    after = int(_MOST_BYTES * random.random() ** 2)
    fault = Fault(reset_after=after) if random.random() < 0.5 else Fault(cut_after=after)
    toward = random.choice(BOTH)
    flows.prepare()
    with stack.links[link].failing(fault, toward):
        ran = flows.run(*FLOWS)
    found += [
        f"{link} lost toward the {toward}, {fault}, {flow}: {one}"
        for flow, one in ran.items()
        if one.outcome not in midway(link, flow)
    ]
    return _recovered(flows, link, ran, found)


def _recovered(flows: Flows, link: Link, ran: dict[Flow, Ran], found: list[str]) -> float:
    try:
        return recover(flows, link, ran)
    except AssertionError as error:
        found.append(f"{link}: not recovered within {RECOVERY[link]} s: {error}")
        with suppress(AssertionError):
            flows.prepare()
        return RECOVERY[link]


def append(done: Campaign, seconds: float, log: Path = LOG) -> None:
    """Add a row to the log."""
    figures = {
        "cells": f"{done.cells:,}",
        "losses": f"{done.losses:,}",
        **PROCESSORS,
        "seconds": f"{seconds:,.0f}",
        "slowest recovery": f"{done.slowest_recovery:.2f}",
        "findings": str(len(done.found)),
    }
    append_row(log, _HEAD, figures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--losses", type=int, default=500)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            EmbeddedPostgres(folder / "postgres", settings=QUICK) as server,
            EmbeddedValkey(folder / "valkey") as valkey,
        ):
            database = PostgresServer(server.start()).create_database()
            with fault_stack(database.app_url, valkey.start(), folder) as stack, Flows(stack).open() as flows:
                done = run_campaign(stack, flows, database.admin_url, repeat=options.repeat, losses=options.losses)
    append(done, time.monotonic() - began)
    for finding in done.found[:20]:
        _say(finding)
    _say(f"{done.cells:,} cells, {done.losses:,} losses, {len(done.found)} findings")
    return 1 if done.found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
