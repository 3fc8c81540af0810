"""`python -m benchmarks`: run all benchmarks and write their figures into docs/PERFORMANCE.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cold_start, cold_start_gains, peers, route_rules, verify
from benchmarks.report import replace_section
from tenantgate_cli.paths import ROOT

DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, to check that it works; writes nothing")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5:
        tell(f"the machine is busy (load average {load:.1f}): figures will be worse, and ratios of times unreliable")
    build_dir = cold_start.built(None, tell)
    starts = asyncio.run(cold_start.measure(build_dir, 2 if options.quick else cold_start.ROUNDS, tell))
    gains = asyncio.run(cold_start_gains.measure(build_dir, 2 if options.quick else cold_start_gains.ROUNDS, tell))
    tell("verifying tokens")
    figures = verify.measure(3 if options.quick else 25)
    tell("a peer")
    compared = peers.measure(3 if options.quick else 50)
    tell("route rules")
    rules = route_rules.measure(1 if options.quick else 5)
    sections = {
        "machine": machine(load),
        "cold-start": cold_start.table(starts),
        "cold-start-gains": cold_start_gains.table(gains),
        "verify": verify_table(figures),
        "peers": peers.table(compared),
        "route-rules": route_rules.table(rules),
    }
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, body in sections.items():
        text = replace_section(text, name, body)
        sys.stdout.write(f"\n{body}")
    if not options.quick:
        DOCUMENT.write_text(text, encoding="utf-8")
        tell(f"written to {DOCUMENT.relative_to(ROOT)}")
    return 0


def machine(load: float, *, has_cpu_columns: bool = True) -> str:
    """Describe the machine and the time of the run."""
    processors = Path("/proc/cpuinfo")
    count = processors.read_text(encoding="utf-8").count("processor\t") if processors.exists() else 0
    cores = f"{count} cores, " if count else ""
    busy = (
        " Above 0.5 the machine was busy, and the CPU columns are more reliable than the times."
        if has_cpu_columns
        else ""
    )
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} on {cores}"
        f"{platform.machine()}, {platform.system()}; load generator and servers on the same machine. "
        f"Load average at the start of the run: {load:.1f}.{busy}\n"
    )


def verify_table(figures: list[verify.Figure]) -> str:
    """Format the verifier's figures as Markdown."""
    lines = ["| token | bare verify, µs | ours, µs | × bare | goal |", "|---|---:|---:|---:|---:|"]
    for figure in figures:
        goal = "" if figure.goal is None else f"≤ {figure.goal:g}"
        lines.append(f"| {figure.name} | {figure.floor_us:.1f} | {figure.ours_us:.1f} | {figure.ratio:.3f} | {goal} |")
    return "\n".join(lines) + "\n"


def tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
