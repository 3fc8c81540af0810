"""Runs the tests against each mutant."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from mutation.mutants import Key, Mutant
from mutation.reach import Chosen, Reach
from mutation.sandbox import CRASHED, Limits, Running, Substitutes, hold_libraries, start, wait
from mutation.targets import ROOT

_ARGUMENTS = (
    *("-q", "-p", "no:cacheprovider", "-m", "not timed"),
    # The parent limits the time, and a suspended machine doesn't count there.
    "--timeout=0",
    # Files that a test leaves to the garbage collector would end any run, by chance.
    *("-p", "no:unraisableexception"),
    # The parent holds pytest's plugins already, so their assertions are not rewritten.
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
)
_LIMITS = Limits(3600, 3600)
_PASSED = 0
_NO_TESTS = 5
_FIRST_TESTS = 150


class Verdict(NamedTuple):
    """The result for a mutant. `killer` is the test that failed first, or `time` when a run took too long."""

    mutant: Mutant
    killed: bool
    killer: str
    seconds: float


class Known(NamedTuple):
    """Findings of the run on unchanged code: the tests of each line, their seconds, and the libraries in use."""

    lines: dict[tuple[str, int], set[str]]
    seconds: dict[str, float]
    libraries: list[str]

    def of_line(self, mutant: Mutant) -> set[str]:
        """Return the tests that reach the mutant's lines; none when an import runs them: every test depends on it."""
        found = set(chain.from_iterable(self.lines.get((str(mutant.path), line), ()) for line in mutant.lines))
        return set() if "" in found else found

    def of_module(self, path: Path) -> set[str]:
        """Return the tests that call a function of the module."""
        found = set(chain.from_iterable(tests for (file, _), tests in self.lines.items() if file == str(path)))
        return found - {""} or set(self.seconds)

    def naming(self, module: str, root: Path) -> set[str]:
        """Return the tests in files that name the module: they may check what its import makes, and call nothing."""
        name = module.removeprefix("tenantgate.")
        files = {_file(test) for test in self.seconds}
        named = {file for file in files if name in (root / file).read_text(encoding="utf-8")}
        return {test for test in self.seconds if _file(test) in named}


def learn(modules: dict[str, Path], tests: tuple[str, ...], left_out: tuple[str, ...] = (), root: Path = ROOT) -> Known:
    """Run all tests on the unchanged modules; raises RuntimeError with the output when one fails.

    `tests` are paths from `root`, which has the `pyproject.toml` with pytest's settings.
    """
    with tempfile.TemporaryDirectory() as folder:
        result, output = Path(folder, "reach"), Path(folder, "output")

        def work() -> int:
            reach = Reach()
            code = {name: (path, compile(path.read_bytes(), str(path), "exec")) for name, path in modules.items()}
            ended = _run(root, Substitutes(code, reach.watch), list(tests), [reach, Chosen(None, left_out)])
            result.write_bytes(pickle.dumps(Known(reach.lines(), reach.seconds, _libraries(root))))
            return ended

        code = wait(start(work, _LIMITS, output))
        if code != _PASSED:
            raise RuntimeError(f"the tests fail without any mutant:\n{output.read_text(encoding='utf-8')[-4000:]}")
        known = pickle.loads(result.read_bytes())  # noqa: S301 - just written by the process above
        assert isinstance(known, Known)  # noqa: S101 - for the type checker
        return known


def judge(
    mutants: list[Mutant],
    known: Known,
    *,
    equivalent: Collection[Key] = (),
    workers: int = 2,
    patience: int = 10,
    root: Path = ROOT,
) -> Iterator[Verdict]:
    """Run the tests against each mutant, `workers` at a time, and yield each verdict at once.

    `patience` is the processor time, in seconds, that a run may take beyond what its tests need; by the clock it may
    take six times as long. Of the tests for a mutant that is known as `equivalent`, only the quickest run.
    Raises RuntimeError when the verdicts would be wrong: unchanged code fails, or a module is loaded already.
    """
    hold_libraries(known.libraries)
    if held := {mutant.key.module for mutant in mutants} & set(sys.modules):
        raise RuntimeError(f"imported before the mutants: {', '.join(sorted(held))}")
    with tempfile.TemporaryDirectory() as folder:
        output, tests = Path(folder, "output"), set(list(known.seconds)[:_FIRST_TESTS])
        unchanged = start(lambda: _run(root, Substitutes({}), _files(tests, known), [Chosen(tests)]), _LIMITS, output)
        if wait(unchanged) != _PASSED:
            raise RuntimeError(f"the tests fail without any mutant:\n{output.read_text(encoding='utf-8')[-4000:]}")
    waiting = iter(mutants)
    trials: list[_Trial] = []
    try:
        while True:
            while len(trials) < workers and (mutant := next(waiting, None)) is not None:
                trials.append(_Trial(mutant, known, patience, root, brief=mutant.key in equivalent))
            if not trials:
                return
            for trial in trials.copy():
                if (verdict := trial.poll()) is not None:
                    trials.remove(trial)
                    yield verdict
            time.sleep(0.02)
    finally:
        for trial in trials:
            trial.end()


class _Trial:
    """The runs of one mutant."""

    def __init__(self, mutant: Mutant, known: Known, patience: int, root: Path, *, brief: bool) -> None:
        self._brief = brief
        self._patience = patience
        self._root = root
        self._mutant = mutant
        self._known = known
        self._started = time.monotonic()
        self._killer = Path(tempfile.mkstemp()[1])
        self._rounds = self._choose()
        self._running: Running | None = None

    def poll(self) -> Verdict | None:
        if self._running is None:
            chosen = next(self._rounds, None)
            if chosen is None:
                return self._verdict(killed=False)
            self._running = self._start(chosen)
        code = self._running.poll()
        if code is None:
            return None
        self._running = None
        if code == CRASHED:
            raise RuntimeError(f"the process of a mutant failed: {self._mutant.key}")
        if code == _NO_TESTS:
            raise RuntimeError("the tests have changed since the run on unchanged code")
        if code == _PASSED:
            return None
        return self._verdict(killed=True, late=code < 0)

    def end(self) -> None:
        """Stop it, without a verdict."""
        if self._running is not None:
            self._running.end()
        self._killer.unlink(missing_ok=True)

    def _choose(self) -> Iterator[set[str]]:
        """Yield the tests of each round: the module's own and the quickest on the line, then all on the line, then all
        in those tests' files.

        The last round covers fixtures that serve several tests. If an import runs the line, all tests of the module,
        those that name it and those of its package take the place of those on the line.
        """
        seconds, module = self._known.seconds, self._known.of_module(self._mutant.path)
        line = self._known.of_line(self._mutant)
        own = {test for test in line or module if _is_own(test, self._mutant.key.module)}
        if not line:
            naming = self._known.naming(self._mutant.key.module, self._root)
            own |= naming - module
            line = module | naming | {test for test in seconds if _is_of_package(test, self._mutant.key.module)}
        files = {_file(test) for test in line}
        beside = {test for test in module if _file(test) in files}
        done: set[str] = set()
        quickest = set(sorted(line, key=seconds.__getitem__)[:_FIRST_TESTS])
        for tests in (own, quickest) if self._brief else (own, quickest, line, beside):
            if not tests <= done:
                yield tests - done
                done |= tests

    def _start(self, chosen: set[str]) -> Running:
        total = sum(self._known.seconds[test] for test in chosen)

        def work() -> int:
            mutant, plugin = self._mutant, Chosen(chosen)
            modules = {mutant.key.module: (mutant.path, mutant.code())}
            code = _run(self._root, Substitutes(modules), ["-x", *_files(chosen, self._known)], [plugin])
            self._killer.write_text(plugin.killer, encoding="utf-8")
            return code

        return start(work, Limits(self._patience + int(4 * total), 6 * self._patience + 10 * total))

    def _verdict(self, *, killed: bool, late: bool = False) -> Verdict:
        killer = "time" if late else self._killer.read_text(encoding="utf-8") or ("import" if killed else "")
        self._killer.unlink()
        return Verdict(self._mutant, killed, killer, time.monotonic() - self._started)


def _libraries(root: Path) -> list[str]:
    """List what is imported from outside the tree; not hypothesis, which wants to be imported by its own plugin."""
    files = {name: getattr(module, "__file__", None) or f"{root}/" for name, module in sys.modules.items()}
    return [
        name
        for name, file in files.items()
        if (file.startswith(f"{sys.prefix}/") or not file.startswith(f"{root}/")) and "hypothesis" not in name
    ]


def _is_own(test: str, module: str) -> bool:
    """Return True for a test in `tests/unit/<package>/test_<module>….py`."""
    *packages, name = module.removeprefix("tenantgate.").split(".")
    return f"/{'/'.join([*packages, f'test_{name}'])}" in f"/{_file(test)}"


def _is_of_package(test: str, module: str) -> bool:
    """Return True for a test in `tests/unit/<package>/`."""
    return _file(test).startswith(f"tests/unit/{'/'.join(module.removeprefix('tenantgate.').split('.')[:-1])}/")


def _file(test: str) -> str:
    return test.partition("::")[0]


def _files(tests: set[str], known: Known) -> list[str]:
    """Return the files of the tests, the quickest first."""
    seconds: dict[str, float] = {}
    for test in tests:
        seconds[_file(test)] = seconds.get(_file(test), 0) + known.seconds[test]
    return sorted(seconds, key=seconds.__getitem__)


def _run(root: Path, substitutes: Substitutes, arguments: list[str], plugins: list[object]) -> int:
    """Run pytest in this process."""
    os.chdir(root)
    sys.meta_path.insert(0, substitutes)
    # Always the same examples, so that the verdict is the same each time. Failing examples are not shrunk.
    hypothesis.settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutation")
    return int(
        pytest.main(
            [*_ARGUMENTS, "--rootdir", str(root), "-c", str(root / "pyproject.toml"), *arguments], plugins=plugins
        )
    )
