"""The order in which workers get the tests: whole modules, and the timed tests last, on the only worker left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.plugins.distribution import TimedLastScheduling

ROOT = Path(__file__).parents[3]
TESTS = [
    "tests/a.py::test_1",
    "tests/a.py::test_2[x@y]",
    "tests/b.py::test_3@stacks",
    "tests/c.py::test_4",
    "tests/d.py::test_5@timed",
    "tests/e.py::TestE::test_6",
    "tests/e.py::TestF::test_7",
    "tests/f.py::test_8@stacks",
    "tests/f.py::test_9[1]@timed",
]


class Worker:
    """A worker as xdist has them: it starts a test once it knows the next one, or is shutting down."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="gw")
        self.queue: deque[int] = deque()
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.queue.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


def run(workers: int) -> list[tuple[int, str, int]]:
    """Each test as it ran: its worker, its id, and how many workers had not ended."""
    config = SimpleNamespace(getvalue=lambda name: ["popen"] * workers, option=SimpleNamespace(loadscopereorder=False))
    scheduling, nodes = TimedLastScheduling(config), [Worker() for _ in range(workers)]
    for node in nodes:
        scheduling.add_node(node)
        scheduling.add_node_collection(node, TESTS)
    scheduling.schedule()
    ran, active = [], list(nodes)
    for _ in range(100):
        for node in list(active):
            if len(node.queue) > 1 or (node.queue and node.shutting_down):
                index = node.queue.popleft()
                ran.append((nodes.index(node), TESTS[index], len(active)))
                scheduling.mark_test_complete(node, index)
            elif node.shutting_down:
                active.remove(node)
                assert scheduling.remove_node(node) is None
        if scheduling.tests_finished:
            for node in active:
                node.shutdown()
    assert active == []
    return ran


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_test_runs_once(workers: int) -> None:
    assert sorted(test for _, test, _ in run(workers)) == sorted(TESTS)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("together", ["tests/a.py", "tests/e.py", "@stacks", "@timed"])
def test_a_module_and_a_group_stay_on_one_worker(workers: int, together: str) -> None:
    assert (
        len({worker for worker, test, _ in run(workers) if test.startswith(together) or test.endswith(together)}) == 1
    )


@pytest.mark.parametrize("workers", [2, 3])
def test_the_timed_tests_run_when_every_other_worker_has_ended(workers: int) -> None:
    *others, first, second = run(workers)

    assert [first[1:], second[1:]] == [("tests/d.py::test_5@timed", 1), ("tests/f.py::test_9[1]@timed", 1)]
    assert not any(test.endswith("@timed") for _, test, _ in others)


_MODULE = """
import gc, os, time
from pathlib import Path
import pytest

{mark}
@pytest.mark.parametrize("number", [1, 2])
def test_it(number):
    time.sleep(0.05)
    with Path("ran").open("a") as file:
        file.write(f"{name} {{os.environ['PYTEST_XDIST_WORKER']}} {{gc.get_freeze_count() > 0}}\\n")
"""


def test_pytest_and_xdist_apply_the_marks(tmp_path: Path) -> None:
    marks = {"timed": "@pytest.mark.timed", "stacks": '@pytest.mark.xdist_group("stacks")'}
    for number, kind in enumerate(("timed", "plain", "stacks", "plain", "stacks", "timed")):
        module = _MODULE.format(mark=marks.get(kind, ""), name=kind)
        (tmp_path / f"test_{number}.py").write_text(module, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    timed: measures time\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-p", "tests.plugins.distribution"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "no:schemathesis"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split() for line in (tmp_path / "ran").read_text("utf-8").splitlines()]
    assert [kind for kind, _, _ in ran].count("plain") == 4
    assert len({worker for kind, worker, _ in ran if kind == "stacks"}) == 1
    assert [kind for kind, _, _ in ran[-4:]] == ["timed"] * 4
    assert len({worker for _, worker, _ in ran[-4:]}) == 1
    assert {(kind == "timed", frozen == "True") for kind, _, frozen in ran} == {(True, True), (False, False)}
