"""Change the security core in small ways, and see whether a test notices.

    python -m mutation --seed 1 --size 20          20 mutants of each module, chosen by the seed; writes the table
    python -m mutation --only tokens.claims --size 0   all mutants of the modules whose names hold the text
    python -m mutation --list --only tokens.claims     list the mutants and run nothing

The exit code is 1 when the score is below the floor, or an entry of mutation/equivalents.toml is out of date.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from types import FrameType

from mutation import equivalents, table
from mutation.judge import Verdict, judge, learn
from mutation.mutants import mutants_of, sample
from mutation.targets import LEFT_OUT, ROOT, TESTS, modules

FLOOR = 95.0


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    paths = {name: path for name, path in modules().items() if options.only in name}
    listed = {name: mutants_of(name, path) for name, path in paths.items()}
    reasons = equivalents.read()
    every = [mutant for mutants in listed.values() for mutant in mutants]
    stale = equivalents.stale(reasons, (mutant.key for mutant in every), listed)
    for key in stale:
        _say(f"OUT OF DATE, names no mutant: {key}")
    chosen = [mutant for mutants in listed.values() for mutant in sample(mutants, options.size, options.seed)]
    if options.matching:
        chosen = [mutant for mutant in every if options.matching in str(mutant.key)]
    if options.list:
        for mutant in chosen:
            _say(f"{mutant.lines.start}: {mutant.key}")
        return int(bool(stale))
    started = time.monotonic()
    _say(f"{len(chosen):,} of {len(every):,} mutants in {len(listed)} modules; first the tests on the unchanged code")
    known = learn(paths, TESTS, LEFT_OUT)
    _say(f"{len(known.seconds):,} tests in {time.monotonic() - started:,.0f} s")
    verdicts: list[Verdict] = []
    for verdict in judge(chosen, known, equivalent=reasons, workers=options.workers):
        verdicts.append(verdict)
        if not verdict.killed and verdict.mutant.key not in reasons:
            _say(f"[{len(verdicts)}] SURVIVED line {verdict.mutant.lines.start}: {verdict.mutant.key}")
        elif len(verdicts) % 50 == 0:
            _say(f"[{len(verdicts)}] after {time.monotonic() - started:,.0f} s")
    took = time.monotonic() - started
    wrong = [verdict for verdict in verdicts if verdict.killed and verdict.mutant.key in reasons]
    for verdict in wrong:
        _say(f"OUT OF DATE, {verdict.killer} kills it: {verdict.mutant.key}")
    survived = table.survivors(verdicts, reasons)
    counted = table.rows({name: len(mutants) for name, mutants in listed.items()}, verdicts, reasons)
    summary = (
        f"Taken {datetime.now(UTC):%Y-%m-%d} at commit {_commit()} with seed {options.seed}: "
        f"{len(verdicts):,} mutants in {took / 60:,.0f} minutes."
    )
    _say(table.markdown(summary, counted, []))
    table.keep(verdicts)
    if not options.only and not options.matching and not options.no_table:
        table.write(table.markdown(summary, counted, survived))
    return int(bool(stale or wrong) or counted[-1].score < FLOOR)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="chooses the mutants (1)")
    parser.add_argument("--size", type=int, default=20, help="mutants of each module, 0 for all (20)")
    parser.add_argument("--workers", type=int, default=2, help="mutants tried at a time (2)")
    parser.add_argument("--only", default="", help="part of the names of the modules; the table isn't written then")
    parser.add_argument("--matching", default="", help="part of the text of the mutants; the table isn't written then")
    parser.add_argument("--list", action="store_true", help="list the mutants, run nothing")
    parser.add_argument("--no-table", action="store_true", help="leave docs/mutation/README.md unchanged")
    return parser


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603


def _say(text: str) -> None:
    print(text, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))
