"""Load at the highest rate that this machine holds, and at twice that.

    python -m benchmarks.load [--minutes N] [--rate N] [--workers N] [--quick]

The container (`python -m container.start`, two worker processes) runs over PostgreSQL and Valkey as `make dev` starts
them, with a stand-in provider, whose access tokens were signed before. Rate limits are counted, but raised. Sessions
and bearer tokens are mixed: `validate`, `me`, the list of sessions, refreshes, whole sign-ins and sign-outs. The load
generator, the provider and the servers share the machine's cores.

Requests begin in time, whether or not earlier ones are complete, on 600 connections for each worker, which take turns;
times count from the intended time of sending. First, phases of 6 seconds find the highest rate at which every request
is served, and 99 of 100 within 250 ms; one of 30 seconds confirms it, or it is lowered. 90 % of it is the highest rate.
20 seconds at twice that fill caches and pools. Then the load is at that rate, and at twice that, for some minutes each,
while memory, descriptors and connections are sampled each second. The figures and plots are written into
docs/RELIABILITY.md and docs/load/.

The exit status is 1 if a request gets no response, or another one than 200, 303, or 429 or 503 with `Retry-After`; if
a response takes longer than 5 s; if memory or descriptors grow, or connections exceed the pools; or if another limit is
exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import uvloop

from benchmarks.__main__ import machine
from benchmarks.load.capacity import highest_rate
from benchmarks.load.growth import growth, peaks
from benchmarks.load.report import FOLDER, SECTION, section, tables, write_plots
from benchmarks.load.stack import loaded_stack
from benchmarks.load.verdict import Run, broken_limits
from benchmarks.report import replace_section
from benchmarks.sessions import tell
from tenantgate_cli.paths import ROOT

DOCUMENT = ROOT / "docs" / "RELIABILITY.md"
MINUTES, WORKERS, SESSIONS = 5.0, 2, 4000
_QUICK_SECONDS, _QUICK_SESSIONS = 10.0, 400
_PAUSE_SECONDS, _FILL_SECONDS = 3.0, 20.0
_BUSY = 0.5


async def measure(*, seconds: float, rate: float | None, workers: int, sessions: int) -> Run:
    """Run both phases, of `seconds` each. `rate` None: find it."""
    async with loaded_stack(workers=workers, sessions=sessions, tell=tell) as stack:
        before = await stack.idle()
        chosen = rate or await highest_rate(stack.mix, tell)
        await stack.phase(2 * chosen, min(seconds, _FILL_SECONDS))
        await asyncio.sleep(_PAUSE_SECONDS)
        tell(f"{seconds:.0f} s at {chosen:.0f} per second")
        highest = await stack.phase(chosen, seconds)
        await asyncio.sleep(_PAUSE_SECONDS)
        tell(f"{seconds:.0f} s at {2 * chosen:.0f} per second")
        twice = await stack.phase(2 * chosen, seconds)
        after = await stack.idle()
        samples = [*stack.watch.samples]
    growths = (growth(samples, highest.began, highest.ended), growth(samples, twice.began, twice.ended))
    return Run(highest, twice, before, after, samples, growths, peaks(samples, workers=workers))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of each phase ({MINUTES:g})")
    parser.add_argument("--rate", type=float, help="requests per second, instead of finding the highest rate")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes of the container ({WORKERS})")
    parser.add_argument("--quick", action="store_true", help="phases of 10 s, to check that it works; writes nothing")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if load > _BUSY:
        tell(f"the machine is busy (load average {load:.1f}): the highest rate will be lower")
    seconds, sessions = (_QUICK_SECONDS, _QUICK_SESSIONS) if options.quick else (options.minutes * 60, SESSIONS)
    run = uvloop.run(measure(seconds=seconds, rate=options.rate, workers=options.workers, sessions=sessions))
    sys.stdout.write(tables(run))
    if not options.quick:
        write_plots(run, DOCUMENT.parent / FOLDER)
        body = f"{machine(load)}\n{section(run)}"
        DOCUMENT.write_text(replace_section(DOCUMENT.read_text(encoding="utf-8"), SECTION, body), encoding="utf-8")
        tell(f"written to {DOCUMENT.relative_to(ROOT)}")
    problems = broken_limits(run)
    for problem in problems:
        tell(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
