"""The long form of the key rotations, which appends a row to docs/rotations/LOG.md.

    python -m tests.functional.key_rotations.campaign --rotations 100 --removals 10

Half of the rotations are of each kind. A process asks an issuer for an unknown key three times, and then once in 30 s:
`--every` is the number of seconds between two keys that sign before they are known. The exit code is 1 if a token by a
published key was refused, another one accepted, or a revoked key used after its bound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import QUICK, PostgresServer
from tests.fixtures.faults.stack import FaultStack, fault_stack
from tests.functional.key_rotations.rotations import SLOW_KEYS, Door, Judged, Load, revoke, rotate, withdraw

LOG = ROOT / "docs" / "rotations" / "LOG.md"
BOUND_SECONDS = 5.0
_HEAD = """# Log of key rotations

`python -m tests.functional.key_rotations.campaign` appends a row for each run; don't edit this page.
[RELIABILITY.md](../RELIABILITY.md#signing-keys-rotate) describes the runs. "wrong": tokens by a published key that were
refused, or others that were accepted. Response times are in milliseconds: the median, the 99th percentile and the
longest. "until refused": the longest time in seconds in which a token by a removed key was still accepted, from the end
of `tenantgate revoke kid`, and from the moment at which the issuer withdrew the key (`JWKS_CACHE_TTL_SECONDS` is 1).
"""


def run_rotations(stack: FaultStack, rotations: int, every: float) -> Load:
    """Rotate the issuer's key under load, alternating between both kinds, and return what was judged."""
    known_at = float("-inf")
    with Load(stack).running() as load:
        load.wait_for(stack.provider.key)
        for number in range(1, rotations // 2 + 1):
            load.wait_for(rotate(stack, "published first"))
            time.sleep(max(0.0, known_at + every - time.monotonic()))
            known_at = time.monotonic()
            load.wait_for(rotate(stack, "just before signing"))
            _say(f"{number * 2} rotations, {len(load.judged):,} tokens, {len(load.wrong())} wrong decisions")
    return load


def main() -> int:
    parser = argparse.ArgumentParser(prog="campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rotations", type=int, default=100)
    parser.add_argument("--every", type=float, default=31.0)
    parser.add_argument("--removals", type=int, default=10)
    parser.add_argument("--no-log", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            EmbeddedPostgres(folder / "postgres", settings=QUICK) as server,
            EmbeddedValkey(folder / "valkey") as valkey,
        ):
            database, redis_url = PostgresServer(server.start()).create_database(), valkey.start()
            with (
                fault_stack(database.app_url, redis_url, folder) as stack,
                stack.links["provider"].failing(SLOW_KEYS, "client"),
            ):
                load = run_rotations(stack, options.rotations, options.every)
                revoked = [revoke(stack, database.app_url, redis_url)[0] for _ in range(options.removals)]
                withdrawn = [withdraw(stack) for _ in range(options.removals)]
    wrong = load.wrong()
    slowest = max((one.longest for one in revoked), default=0.0)
    figures = {
        **PROCESSORS,
        "rotations": f"{options.rotations}",
        "tokens": f"{len(load.judged):,}",
        "wrong": f"{len(wrong)}",
        "container": _times(load.judged, "container"),
        "authorizer": _times(load.judged, "authorizer"),
        "removals": f"{options.removals}",
        "until refused, command": f"{slowest:.1f}",
        "until refused, issuer": f"{max((one.longest for one in withdrawn), default=0.0):.1f}",
    }
    if not options.no_log:
        append_row(LOG, _HEAD, figures)
    for line in [*wrong[:20], str(figures)]:
        _say(line)
    return 1 if wrong or slowest > BOUND_SECONDS else 0


def _times(judged: list[Judged], door: Door) -> str:
    """Return the median, the 99th percentile and the longest of the times, in milliseconds."""
    seconds = [one.seconds for one in judged if one.door == door]
    percentiles = quantiles(seconds, n=100)
    return " / ".join(f"{each * 1000:.0f}" for each in (percentiles[49], percentiles[98], max(seconds)))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
