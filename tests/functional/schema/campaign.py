"""The long form of `test_schema.py`, which appends a row to docs/schema/LOG.md and writes docs/schema/ROUTES.md.

    python -m tests.functional.schema.campaign --requests 100000 --seed 1

Both targets get their shares at the same time. The exit code is 1 if a response breaks a promise, or if an operation
never succeeded.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tests.fixtures.schema.run import Run, run
from tests.fixtures.schema.target import FORMS, Form, running_target

FOLDER = ROOT / "docs" / "schema"
LOG, ROUTES = FOLDER / "LOG.md", FOLDER / "ROUTES.md"
# The container is faster.
SHARES: dict[Form, float] = {"container": 0.6, "gateway": 0.4}
_BATCH, _USES = 30, 8
_HEAD = """# Log of schema campaigns

`make schema` appends a row for each run; don't edit this page. [README.md](README.md) describes a run. "fewest
successes": of any operation at either target.
"""
_ROUTES_HEAD = """# Requests of the last schema campaign

`make schema` writes this page; don't edit it. A success is a status below 400. The other requests were invalid, had no
good credential, or used another method.

| operation | container: requests | successes | gateway: requests | successes |
|---|--:|--:|--:|--:|
"""


def run_one(form: Form, amount: int, seed: int, *, batch: int = _BATCH, uses: int = _USES) -> Run:
    """Start a target and send `amount` requests to it."""
    with tempfile.TemporaryDirectory() as folder, running_target(form, Path(folder)) as target:
        return run(
            target,
            amount=amount,
            seed=seed,
            batch=batch,
            uses=uses,
            progress=lambda number: _say(f"{form}: {number:,} requests") if number % 5000 == 0 else None,
        )


def append(runs: list[Run], seed: int, seconds: float, log: Path = LOG) -> None:
    """Add a row to the log."""
    sent = {one.form: one.requests for one in runs}
    figures = {
        "seed": str(seed),
        "container": f"{sent['container']:,}",
        "gateway": f"{sent['gateway']:,}",
        "operations": str(len(runs[0].operations)),
        "fewest successes": str(min(one.successes(label) for one in runs for label in one.operations)),
        **PROCESSORS,
        "seconds": f"{seconds:,.0f}",
        "findings": str(sum(len(one.findings) + len(one.unreached) for one in runs)),
    }
    append_row(log, _HEAD, figures)


def routes_page(runs: list[Run]) -> str:
    """Return the table of operations, with their requests and successes at each target."""
    container, gateway = sorted(runs, key=lambda one: one.form)
    rows = [
        f"| `{label}` | {container.sent(label):,} | {container.successes(label):,} "
        f"| {gateway.sent(label):,} | {gateway.successes(label):,} |\n"
        for label in sorted(container.operations, key=lambda label: label.partition(" ")[::-1])
    ]
    return _ROUTES_HEAD + "".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # The product's warnings of each refused request.
    logging.disable(logging.WARNING)
    if options.requests < 1000:
        parser.error("fewer than 1000 requests don't reach every operation")
    began = time.monotonic()
    with ProcessPoolExecutor(len(FORMS), mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(run_one, form, round(options.requests * SHARES[form]), options.seed) for form in FORMS]
        runs = [one.result() for one in begun]
    append(runs, options.seed, time.monotonic() - began)
    ROUTES.write_text(routes_page(runs), encoding="utf-8")
    for one in runs:
        for finding in one.findings[:20]:
            _say(f"{one.form}: {finding}")
        for label in one.unreached:
            _say(f"{one.form}: never succeeded: {label}")
    failed = any(one.findings or one.unreached for one in runs)
    _say(f"{sum(one.requests for one in runs):,} requests, {sum(len(one.findings) for one in runs)} findings")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
