"""Fuzz what takes bytes from strangers.

    python -m fuzz all --minutes 10           half of it the differential run, half the coverage-guided targets
    python -m fuzz differential --runs 100000
    python -m fuzz targets [NAME ...] --minutes 10
    python -m fuzz replay NAME FILE ...       NAME is a target, or `differential` for a file with a token

Every run leaves a row in docs/fuzzing/LOG.md. The exit code is 1 when something was found; its input is then in
.local/fuzz/findings.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

TARGETS = ("compact", "verifier", "jwks", "authorizer", "rules", "settings")


def _differential(runs: int | None, seconds: float | None, seed: int, *, log: bool) -> int:
    from fuzz import log as fuzz_log  # noqa: PLC0415 - what is fuzzed must be imported under the engine's eyes
    from fuzz.differential import Differential  # noqa: PLC0415
    from fuzz.judge import Judge  # noqa: PLC0415

    judge = Judge(sample=0.01)
    run = Differential(seed, judge)
    _say(f"differential: seed {seed}")
    took = run.run(runs=runs, seconds=seconds, progress=_say)
    tally = run.tally
    only = {
        name: sum(n for (library, _), n in judge.only_others.items() if library == name)
        for name in ("PyJWT", "joserfc")
    }
    remarks = (
        f"about {len(tally.distinct):,} different tokens; {judge.accepted:,} accepted; {tally.must_pass:,} had to be; "
        f"of {judge.sampled:,} refused ones asked about, PyJWT takes {only['PyJWT']:,} and joserfc {only['joserfc']:,}"
    )
    for found in tally.found:
        path = fuzz_log.keep_finding(
            f"differential-{hashlib.sha256(found.token.encode()).hexdigest()[:16]}", found.token.encode()
        )
        _say(f"FOUND {found.what} (by {found.mutator!r}, seed {seed}, chunk {found.chunk}): {path}")
    if log:
        fuzz_log.append(fuzz_log.Row("differential", tally.runs, took, seed, len(tally.found), remarks))
    _say(f"differential: {tally.runs:,} runs in {took:,.0f} s, {len(tally.found)} findings; {remarks}")
    for name, number in tally.by_mutator.most_common():
        _say(f"  {name:24} {number:>10,} of which accepted {tally.accepted_by_mutator[name]:,}")
    for (library, reason), number in judge.only_others.most_common(30):
        _say(f"  {library} takes what we refuse, {number} of the sample: {reason}")
    return 1 if tally.found else 0


def _targets(names: list[str], seconds: float, seed: int, *, log: bool) -> int:
    from fuzz import engine  # noqa: PLC0415
    from fuzz import log as fuzz_log  # noqa: PLC0415

    if not engine.is_atheris_here():
        _say("atheris isn't here: uv sync --inexact --group fuzz (it has wheels for Linux on x86-64 alone)")
        return 2
    code = 0
    for name in names:
        _say(f"{name}: {seconds / len(names):,.0f} s, seed {seed}")
        ran = engine.run_guided(name, seconds=max(1, round(seconds / len(names))), seed=seed, say=_say)
        remarks = f"{ran.coverage:,} edges covered" + (f"; {ran.problem}" if ran.problem else "")
        if log:
            fuzz_log.append(fuzz_log.Row(name, ran.runs, ran.seconds, seed, len(ran.found), remarks))
        _say(f"{name}: {ran.runs:,} runs in {ran.seconds:,.0f} s, {len(ran.found)} findings; {remarks}")
        for path in ran.found:
            _say(f"FOUND: {path}")
        code |= bool(ran.found or ran.problem)
    return code


def _replay(name: str, files: list[str]) -> int:
    from fuzz.targets import all_targets  # noqa: PLC0415

    try_bytes = _try_token if name == "differential" else all_targets()[name].prepare()
    code = 0
    for file in files:
        try:
            try_bytes(Path(file).read_bytes())
        except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
            code = 1
            traceback.print_exc()
        else:
            _say(f"{file}: nothing is found any more")
    return code


def _try_token(data: bytes) -> None:
    from fuzz.building import Case  # noqa: PLC0415
    from fuzz.judge import Judge  # noqa: PLC0415

    # Strictly: nothing is known of who signed it, so the libraries alone tell.
    accepted = Judge().try_token(Case(data.decode()))
    _say("accepted, by the others too" if accepted else "refused")


def _say(text: str) -> None:
    print(text, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["all", "differential", "targets", "replay"])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TARGETS)}; for replay one of them, and files")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the whole run (10)")
    parser.add_argument("--runs", type=int, default=None, help="of `differential`, instead of --minutes")
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--no-log", action="store_true", help="leave docs/fuzzing/LOG.md alone")
    return parser


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["engine"]:
        from fuzz.engine import be_engine  # noqa: PLC0415

        be_engine(arguments[1], arguments[3:])
    parser = _parser()
    asked = parser.parse_args(arguments)
    names = asked.names or list(TARGETS)
    if asked.what == "replay" and len(names) > 1 and names[0] in ("differential", *TARGETS):
        return _replay(names[0], names[1:])
    if asked.what == "replay" or not set(names) <= set(TARGETS):
        parser.error(f"targets are {', '.join(TARGETS)}; replay takes one of them, or differential, and files")
    seed = asked.seed if asked.seed is not None else int.from_bytes(os.urandom(4)) >> 1
    seconds, log = 60 * asked.minutes, not asked.no_log
    signal.signal(signal.SIGTERM, _stop)
    try:
        if asked.what == "differential":
            return _differential(asked.runs, None if asked.runs else seconds, seed, log=log)
        if asked.what == "targets":
            return _targets(names, seconds, seed, log=log)
        code = _differential(None, seconds / 2, seed, log=log)
        # Where atheris can't be had, that was all.
        return code | (_targets(names, seconds / 2, seed, log=log) & 1)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
