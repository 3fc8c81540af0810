"""The stack as a developer starts it, in a process of its own: `tenantgate dev` and `tenantgate serve`.

with dev_stack(tmp_path) as stack:
    httpx2.get(f"{stack.url}/api/v1/health/live")
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
READY = "Tenantgate ready at "
# What would choose another provider, port, database or level than the tests expect.
_FOREIGN = ("OIDC_", "JWT_", "JWKS_", "TENANT_ID_", "TRUSTED_", "ALLOWED_", "DATABASE_", "PUBLIC_", "AWS_", "REDIS_")
_FOREIGN_NAMES = {"PORT", "ENVIRONMENT", "LOG_LEVEL", "COOKIE_SEALING_KEYS"}


class StackFailed(AssertionError):
    """It ended, or took too long, before it was ready. The text is what it printed."""


@dataclass
class RunningStack:
    """`url` has no trailing slash. `lines` is everything printed so far, without line ends."""

    url: str
    data_dir: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _printed: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)
    _reader: threading.Thread | None = None

    @property
    def ready_lines(self) -> list[str]:
        """From the ready line to the last line of what follows it at once."""
        first = next(number for number, line in enumerate(self.lines) if line.startswith(READY))
        rest = self.lines[first + 1 :]
        end = next((number for number, line in enumerate(rest) if not line.startswith("  ")), len(rest))
        return self.lines[first : first + 1 + end]

    def wait_for_line(self, matches: Callable[[str], bool], *, seconds: float = 20.0) -> str:
        """The first line, printed already or to come, that matches."""
        for line in self.lines:
            if matches(line):
                return line
        return _await_line(self, matches, seconds)

    def logs(self) -> str:
        """Everything that the functions wrote (`dev`)."""
        return "".join(path.read_text("utf-8") for path in sorted((self.data_dir / "logs").glob("*.log")))

    def stop(self, number: int = signal.SIGINT, *, seconds: float = 30.0) -> int:
        """Signal it, as Ctrl-C does, and wait for its end and its last words; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(seconds)
        if self._reader is not None:
            self._reader.join(seconds)
        return status


@contextmanager
def dev_stack(data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[RunningStack]:
    """`tenantgate dev` on a free port, with its data in `data_dir`; ready when the block begins, gone after it."""
    with _stack("dev", data_dir, arguments, env) as stack:
        yield stack


@contextmanager
def serve_stack(data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[RunningStack]:
    """`tenantgate serve`: the container's application, otherwise the same."""
    with _stack("serve", data_dir, arguments, env) as stack:
        yield stack


def start_command(
    command: Literal["dev", "serve"], data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> RunningStack:
    """Start it without waiting. `url` is empty until `await_ready`."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name not in _FOREIGN_NAMES
    }
    port = () if "--port" in arguments else ("--port", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "tenantgate_cli.main", command, *port, "--data-dir", str(data_dir), *arguments],
        cwd=ROOT,
        env={**clean, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Away from the test run's own terminal and its Ctrl-C.
        start_new_session=True,
    )
    stack = RunningStack("", data_dir, process)
    stack._reader = threading.Thread(target=_read, args=(stack,), daemon=True)
    stack._reader.start()
    return stack


def await_ready(stack: RunningStack, *, seconds: float = 90.0) -> RunningStack:
    """Wait for the ready line. Raises StackFailed."""
    line = _await_line(stack, lambda line: line.startswith(READY), seconds)
    stack.url = line.removeprefix(READY).strip()
    _await_line(stack, lambda line: line.startswith("  Ctrl-C"), seconds)
    return stack


@contextmanager
def _stack(
    command: Literal["dev", "serve"], data_dir: Path, arguments: tuple[str, ...], env: Mapping[str, str] | None
) -> Iterator[RunningStack]:
    stack = start_command(command, data_dir, *arguments, env=env)
    try:
        yield await_ready(stack)
    finally:
        try:
            stack.stop()
        except subprocess.TimeoutExpired:
            stack.process.kill()
            stack.stop()


def _read(stack: RunningStack) -> None:
    assert stack.process.stdout is not None
    with stack.process.stdout as printed:
        for line in printed:
            stack.lines.append(line.rstrip("\n"))
            stack._printed.put(line.rstrip("\n"))
    stack._printed.put(None)


def _await_line(stack: RunningStack, matches: Callable[[str], bool], seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            line = stack._printed.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise StackFailed(f"no such line within {seconds:g} s:\n" + "\n".join(stack.lines)) from None
        if line is None:
            stack._printed.put(None)
            raise StackFailed("it ended:\n" + "\n".join(stack.lines))
        if matches(line):
            return line
