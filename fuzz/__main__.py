"""Fuzz everything that reads untrusted input.

    python -m fuzz all --minutes 10           one half differential, one half coverage-guided
    python -m fuzz differential --runs 100000
    python -m fuzz targets [NAME ...] --minutes 10
    python -m fuzz replay NAME FILE ...       NAME is a target, or `differential` for a file with a token

Every run adds a row to docs/fuzzing/LOG.md. If it finds something, the exit code is 1 and the input is in
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

TARGETS = ("compact", "verifier", "jwks", "authorizer", "cookies", "valkey", "revocations", "rules", "settings")


def _differential(runs: int | None, seconds: float | None, seed: int, *, log: bool) -> int:
    from fuzz import log as fuzz_log  # noqa: PLC0415 - the engine must instrument what is fuzzed when it is imported
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
        f"about {len(tally.distinct):,} different tokens; {judge.accepted:,} accepted; {tally.must_pass:,} required; "
        f"of {judge.sampled:,} sampled rejections, PyJWT accepts {only['PyJWT']:,} and joserfc {only['joserfc']:,}"
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
        _say(f"  {name:24} {number:>10,}, accepted {tally.accepted_by_mutator[name]:,}")
    for (library, reason), number in judge.only_others.most_common(30):
        _say(f"  {library} accepts a token that the product rejects, {number} of the sample: {reason}")
    return 1 if tally.found else 0


def _targets(names: list[str], seconds: float, seed: int, *, log: bool) -> int:
    from fuzz import engine  # noqa: PLC0415
    from fuzz import log as fuzz_log  # noqa: PLC0415

    if not engine.is_atheris_here():
        _say("atheris is not installed: uv sync --inexact --group fuzz (it has wheels only for Linux on x86-64)")
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
        except Exception:  # noqa: BLE001 - any exception is a finding
            code = 1
            traceback.print_exc()
        else:
            _say(f"{file}: no longer a finding")
    return code


def _try_token(data: bytes) -> None:
    from fuzz.building import Case  # noqa: PLC0415
    from fuzz.judge import Judge  # noqa: PLC0415

    # The signer is unknown, so only the libraries can judge the token.
    accepted = Judge().try_token(Case(data.decode()))
    _say("accepted, also by the other libraries" if accepted else "rejected")


def _say(text: str) -> None:
    print(text, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["all", "differential", "targets", "replay"])
    parser.add_argument("names", nargs="*", help=f"from {', '.join(TARGETS)}; for replay one of them, and files")
    parser.add_argument("--minutes", type=float, default=10.0, help="duration of the whole run (10)")
    parser.add_argument("--runs", type=int, default=None, help="number of runs of `differential`, instead of --minutes")
    parser.add_argument("--seed", type=int, default=None, help="a different one each time by default")
    parser.add_argument("--no-log", action="store_true", help="don't write docs/fuzzing/LOG.md")
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
        # Without atheris, only the differential run is possible.
        return code | (_targets(names, seconds / 2, seed, log=log) & 1)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
