"""Ctrl-C at early moments of a start: no stack trace, no process left, and the data folder is free again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.data_folder import DataFolder

type Started = subprocess.Popen[str]


def after(seconds: float) -> Callable[[Started, Path], None]:
    return lambda _process, _data: time.sleep(seconds)


def when_printed(beginning: str) -> Callable[[Started, Path], None]:
    def wait(process: Started, _data: Path) -> None:
        assert process.stdout is not None
        assert any(line.startswith(beginning) for line in iter(process.stdout.readline, ""))

    return wait


def when_there_is(name: str) -> Callable[[Started, Path], None]:
    def wait(process: Started, data: Path) -> None:
        deadline = time.monotonic() + 30
        while not (data / name).exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)

    return wait


MOMENTS = {
    "at-once": after(0),
    "imports": after(0.2),
    "the-folder-is-locked": when_there_is("dev.json"),
    "initdb": when_there_is("postgres/cluster.new"),
    "migrations": when_printed("postgres "),
    "provider": when_printed("gateway "),
}


@contextmanager
def started(command: str, data: Path) -> Iterator[Started]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "DATABASE_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tenantgate_cli", command, "--port", "0", "--data-dir", str(data)],
        cwd=ROOT,
        env={**clean, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # As the Makefile does: Python's own start would print a stack trace.
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("command", "moment"),
    [*(("dev", moment) for moment in MOMENTS), *(("serve", moment) for moment in ("initdb", "migrations"))],
)
def test_ctrl_c_leaves_neither_a_stack_trace_nor_a_process(command: str, moment: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started(command, data) as process:
        MOMENTS[moment](process, data)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)

    assert errors == ""
    # The signal's own end before anything runs, and an orderly one after that. Even then, Python exits by the signal if
    # it arrived during an `exec`, such as those of SQLAlchemy's imports.
    assert process.returncode in (0, -signal.SIGINT)
    assert "Traceback" not in printed
    assert printed.splitlines()[-1:] == ["stopped"] or (process.returncode != 0 and not children)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    with DataFolder(data).held():
        assert not list(data.glob("postgres/cluster/postmaster.pid"))


def test_make_starts_the_commands_so_that_python_itself_is_not_interrupted() -> None:
    can_block = subprocess.run(["env", "--block-signal=INT", "true"], capture_output=True, check=False).returncode == 0
    prefix = "env --block-signal=INT " if can_block else ""
    for target in ("dev", "serve"):
        shown = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert " ".join(shown[-1].split()).startswith(f"exec {prefix}.venv/bin/tenantgate {target} --port 3000")
