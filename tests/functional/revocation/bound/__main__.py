"""Measure how long anything that was revoked is still let in, and write it into docs/RELIABILITY.md.

    python -m tests.functional.revocation.bound [--revocations 10000] [--rate 21] [--quick]

A share of the revocations is made in each of six conditions of Valkey. The time is from the acknowledgement or, if the
response is 503 "recorded, not yet everywhere", from the request to revoke, until the last request with the
credential was sent that any worker let in. The exit code is 1 if a revocation took effect later than the bound, or if
a worker decided without a list that counts. `--quick` writes nothing. On a busy machine, a lower `--rate` keeps the
requests with one credential close together.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.__main__ import machine
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import QUICK, PostgresServer
from tests.functional.revocation.bound.conditions import CONDITIONS
from tests.functional.revocation.bound.credentials import Credentials
from tests.functional.revocation.bound.figures import Run
from tests.functional.revocation.bound.measuring import measure
from tests.functional.revocation.bound.report import PAGE, load, save, section
from tests.functional.revocation.bound.stack import WORKERS, bound_stack

# An outage is longer than a list counts, and has an end in which every worker fails closed.
CYCLE_SECONDS = 9.0
RATE = 21.0


async def run(
    database_url: str, valkey: EmbeddedValkey, folder: Path, revocations: int, rate: float
) -> tuple[Run, list[str]]:
    """Measure all conditions; return the figures, and the deviations from the bound."""
    load_average, began = os.getloadavg()[0], time.monotonic()
    conditions, found = [], list[str]()
    async with bound_stack(database_url, valkey, folder) as stack:
        credentials = Credentials(stack)
        for number, name in enumerate(CONDITIONS):
            share = revocations * (number + 1) // len(CONDITIONS) - revocations * number // len(CONDITIONS)
            done = await measure(stack, credentials, name, revocations=share, seconds=CYCLE_SECONDS, rate=rate)
            conditions.append(done.figures())
            found += done.found
            _say(f"{name}: {share:,} revocations, {len(found)} findings so far, {time.monotonic() - began:.0f} s")
    text = machine(load_average, has_cpu_columns=False).strip()
    return Run(text, WORKERS, round(time.monotonic() - began), conditions), found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.functional.revocation.bound", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--revocations", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=RATE, help=f"revocations per second ({RATE:g})")
    parser.add_argument("--quick", action="store_true", help="write nothing")
    parser.add_argument("--rewrite", action="store_true", help="only write the page and the plot from the last figures")
    options = parser.parse_args()
    if options.rewrite:
        save(load())
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            EmbeddedPostgres(folder / "postgres", settings=QUICK) as server,
            EmbeddedValkey(folder / "valkey") as valkey,
        ):
            database = PostgresServer(server.start()).create_database()
            done, found = asyncio.run(run(database.app_url, valkey, folder, options.revocations, options.rate))
    sys.stdout.write(section(done) + "\n")
    if not options.quick:
        save(done)
        _say(f"written to {PAGE.name}")
    for finding in found[:20]:
        _say(finding)
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
