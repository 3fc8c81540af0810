"""Start a server's program under the supervisor, as a user that the program accepts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path

import psutil

type User = tuple[int, int]

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_STOP_SECONDS = 20.0


class ServerBroken(Exception):
    """The server can't run here. The text gives the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Running:
    """A program under its supervisor. `pid` is the program's process id."""

    supervisor: subprocess.Popen[bytes]
    pid: int

    def has_ended(self) -> bool:
        """Return True if the program and its supervisor have ended."""
        return self.supervisor.poll() is not None

    def stop(self) -> None:
        """Stop the program and wait until it has ended."""
        for pipe in (self.supervisor.stdin, self.supervisor.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.supervisor.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.supervisor.kill()
            self.supervisor.wait()


def launch(
    command: Sequence[str | Path],
    *,
    directory: Path,
    log: Path,
    user: User | None,
    stop_signals: Sequence[tuple[str, int]],
    stdin: str = os.devnull,
    environment: Mapping[str, str] | None = None,
) -> Running:
    """Start a program in the working directory `directory`. Its output is appended to `log`.

    `environment`: None for that of this process.

    `stop_signals`: each signal that stops it, and the seconds until the next one.
    """
    spec = {
        "command": [str(part) for part in command],
        "directory": str(directory),
        "stdin": stdin,
        "log": str(log),
        "user": user,
        "stop_signals": stop_signals,
    }
    supervisor = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_SUPERVISOR), json.dumps(spec)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=environment,
    )
    assert supervisor.stdout is not None  # noqa: S101
    try:
        return Running(supervisor, pid=int(supervisor.stdout.readline() or 0))
    except BaseException:
        # A Ctrl-C at this moment must not leave a server that no caller knows.
        Running(supervisor, pid=0).stop()
        raise


def runs(pid: int, program: str) -> bool:
    """Return True if this is a running process of `program`."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and program in process.name()
    except psutil.Error:
        return False


@cache
def site_packages(module: str, *, package: str) -> Path:
    """Return the folder that `module` of the package is installed in, without importing it. Raises ServerBroken."""
    found = util.find_spec(module)
    if found is None or found.origin is None:
        raise ServerBroken(f"{package} is not installed here. Run: uv sync --all-extras")
    return Path(found.origin).parent.parent
