"""Run the targets: with atheris (coverage-guided, based on libFuzzer) in a separate process, or in a plain loop."""

from __future__ import annotations

import importlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from fuzz.log import FINDINGS, ROOT

CORPORA = ROOT / ".local" / "fuzz" / "corpora"
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PROGRESS = re.compile(r"^#(\d+)\s.*\bcov: (\d+)", re.MULTILINE)
_ARTIFACT = re.compile(r"Test unit written to (\S+)")


class Ran(NamedTuple):
    """The result of a target's run. `coverage` is libFuzzer's count of edges reached in the product."""

    runs: int
    seconds: float
    coverage: int
    found: tuple[Path, ...]
    problem: str = ""


def is_atheris_here() -> bool:
    try:
        importlib.import_module("atheris")
    except ImportError:
        return False
    return True


def run_guided(name: str, *, seconds: int, seed: int, say: Callable[[str], None]) -> Ran:
    """Fuzz a target for `seconds`, starting with its seeds and the corpus of earlier runs on this machine."""
    corpus = CORPORA / name
    for folder in (corpus, FINDINGS):
        folder.mkdir(parents=True, exist_ok=True)
    # libFuzzer treats a seed of 0 as no seed.
    options = [str(corpus), f"-max_total_time={seconds}", f"-seed={seed or 1}", "-print_final_stats=1", "-timeout=25",
               "-rss_limit_mb=2048", f"-artifact_prefix={FINDINGS}/{name}-"]  # fmt: skip
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        command = [sys.executable, "-m", "fuzz", "engine", name, "--", *options]
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # libFuzzer stops on this signal and prints its statistics.
            process.send_signal(signal.SIGINT)
            code = process.wait()
            raise
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        text = output.read()
    found = tuple(Path(path) for path in _ARTIFACT.findall(text))
    if code and not found:
        say(text[-3000:])
    elif found:
        say("\n".join(line for line in text.splitlines() if not line.startswith("#"))[-3000:])
    return Ran(
        _runs(text), time.monotonic() - started, _coverage(text), found, "" if found or not code else f"exit {code}"
    )


def _runs(text: str) -> int:
    executed = _EXECUTED.search(text)
    reported = [int(number) for number, _ in _PROGRESS.findall(text)]
    return int(executed[1]) if executed else max(reported, default=0)


def _coverage(text: str) -> int:
    return max((int(edges) for _, edges in _PROGRESS.findall(text)), default=0)


def be_engine(name: str, options: list[str]) -> None:
    """Be the engine's process; never return."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["tenantgate", "functions"]):
        from fuzz.targets import all_targets  # noqa: PLC0415 - instrumented by the engine

        target = all_targets()[name]
    corpus = Path(options[0])
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = corpus.parent / f"{name}.dict"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in dict.fromkeys(target.words)), encoding="ascii")
    arguments = [sys.argv[0], *options, f"-dict={dictionary}", f"-max_len={target.longest}"]
    atheris.Setup(arguments, target.prepare())
    atheris.Fuzz()


def _escaped(word: str) -> str:
    letters = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02X}" for byte in word.encode())
    return "".join(letters)


def run_plain(name: str, *, runs: int, seed: int) -> list[tuple[str, bytes]]:
    """Try every seed of a target, then `runs` simple mutations, the same each time; return the findings."""
    from fuzz.mutate_json import flip_bytes  # noqa: PLC0415
    from fuzz.targets import all_targets  # noqa: PLC0415

    target, rng = all_targets()[name], Random(seed)  # noqa: S311 - to be repeatable, not secret
    try_bytes, seeds, found = target.prepare(), target.seeds(), []
    inputs = [*seeds, *(flip_bytes(rng, seeds[number % len(seeds)]) for number in range(runs))]
    for data in inputs:
        try:
            try_bytes(data)
        except Exception as finding:  # noqa: BLE001 - every exception of a target is a finding
            found.append((f"{type(finding).__name__}: {finding}", data))
    return found
