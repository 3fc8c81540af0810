"""PostgreSQL's data folder: making it, finding out whether it can be used, and how the server may call it.

cluster/        PostgreSQL's own data directory
roles.json      the passwords of its three roles, random, readable by the caller alone
postgres.log    what PostgreSQL said
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tenantgate_cli.stack.servers.launch import PostgresBroken, User, extensions, is_postgres, launch, postgres_version
from tenantgate_cli.stack.servers.unprivileged import reachable, unprivileged_user

DATABASE = "tenantgate"
ADMIN, OWNER, APPLICATION = "postgres", "tenantgate_owner", "tenantgate_app"
# Through the working directory, so that folders above it may be closed to the user that PostgreSQL runs as.
_WORKING_DIRECTORY = "/proc/self/cwd"
_ONCE_SECONDS, _ENDING_SECONDS = 60.0, 10.0
_HOST_RULES = "host all all 127.0.0.1/32 scram-sha-256\n"
_LOG_LIMIT = 10 * 1024 * 1024


class DataFolder:
    """The folder at `path`. `prepare()` it before anything else; every method may raise `PostgresBroken`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cluster = path / "cluster"
        self.log = path / "postgres.log"
        self._roles = path / "roles.json"

    def prepare(self) -> None:
        """Make the folder if it isn't there, and see that no server is using it."""
        try:
            # Run by root: the server's user may pass through, to the cluster that is its own, but not look.
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        except OSError as error:
            raise PostgresBroken(
                f"the data folder {self.path} can't be made: {error.strerror}. Choose another with --data-dir."
            ) from error
        if not self.cluster.exists():
            self._make()
        self._check()
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    def passwords(self) -> Mapping[str, str]:
        """The password of each role."""
        try:
            passwords: dict[str, str] = json.loads(self._roles.read_text())
        except (OSError, ValueError):
            raise self.broken("its roles.json is missing or damaged") from None
        return passwords

    def user(self) -> User | None:
        """As whom the server runs; None: as the caller."""
        user = unprivileged_user(self.cluster)
        if user is None and os.geteuid() == 0:
            raise PostgresBroken("PostgreSQL refuses to run as root, and there is no user `nobody` to run it as")
        return user

    def named(self, folder: Path) -> str:
        """`folder` as the server can name it when it is the server's working directory."""
        if reachable(folder, self.user()):
            return str(folder)
        if not Path(_WORKING_DIRECTORY).exists():
            raise PostgresBroken(
                f"PostgreSQL doesn't run as root, and its own user can't reach {folder}. "
                "Run as yourself, or choose a reachable --data-dir."
            )
        return _WORKING_DIRECTORY

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def said_since(self, offset: int) -> str:
        """What was logged from `offset` on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")

    def broken(self, why: str) -> PostgresBroken:
        return PostgresBroken(
            f"the data folder {self.path} can't be used: {why}. Start anew with `make dev RESET=1` (which deletes "
            f"the data), or put a good copy of the folder in its place. PostgreSQL's log: {self.log}"
        )

    def _check(self) -> None:
        version = self.cluster / "PG_VERSION"
        if missing := [name for name in ("PG_VERSION", "base", "global") if not (self.cluster / name).exists()]:
            raise self.broken(f"it is incomplete ({', '.join(missing)} is missing)")
        if (found := version.read_text().strip()) != (ours := postgres_version()):
            raise self.broken(f"it was made by PostgreSQL {found[:8]}, and this is PostgreSQL {ours}")
        self.passwords()
        lock = self.cluster / "postmaster.pid"
        if not lock.is_file():
            return
        number = lock.read_text().split("\n", 1)[0].strip()
        pid = int(number) if number.isdigit() else 0
        # A server of ours that was killed a moment ago may still be ending.
        deadline = time.monotonic() + _ENDING_SECONDS
        while is_postgres(pid):
            if time.monotonic() > deadline:
                raise PostgresBroken(
                    f"another PostgreSQL (process {pid}) is using the data folder {self.path}. "
                    f"Stop whatever started it, or run: kill -INT {pid}"
                )
            time.sleep(0.05)
        # Stale: its process is gone, or the number is another program's by now, which PostgreSQL itself can't tell.
        lock.unlink(missing_ok=True)

    def _make(self) -> None:
        """Make the cluster in a side folder and move it into place: what is in place is complete."""
        making = self.path / "cluster.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        user = self.user()
        if user is not None:
            os.chown(making, *user)
        name = self.named(making)
        # No password yet, so nobody may come in; the set-up below runs without a network.
        command = ["initdb", "-D", name, "-U", ADMIN, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=reject"]
        self._run([*command, "--no-instructions", "--no-sync"], directory=making, user=user)
        (making / "pg_hba.conf").write_text(_HOST_RULES)
        _trust_vector(making, user)

        passwords = {role: secrets.token_urlsafe(24) for role in (ADMIN, OWNER, APPLICATION)}
        # Beside the cluster, and opened before the change of user: the server reads them, and nobody else can.
        statements = self.path / "statements"
        statements.touch(mode=0o600)
        statements.write_text(_set_up(passwords))
        try:
            single = ["postgres", "--single", "-D", name, "-c", "exit_on_error=on", "postgres"]
            self._run(single, directory=making, user=user, stdin=str(statements))
        finally:
            statements.unlink()
        self._roles.unlink(missing_ok=True)
        self._roles.touch(mode=0o600)
        self._roles.write_text(json.dumps(passwords))
        making.rename(self.cluster)

    def _run(self, command: list[str], *, directory: Path, user: User | None, stdin: str = os.devnull) -> None:
        """Run a program to its end."""
        said_before = self.log_size()
        running = launch(command, directory=directory, log=self.log, user=user, stdin=stdin)
        try:
            code = running.supervisor.wait(_ONCE_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            running.stop()
        said = self.said_since(said_before)
        if code != 0 or "ERROR:" in said:
            raise PostgresBroken(
                f"a new data folder can't be made in {self.path}: {last_complaint(said) or command[0]}. "
                f"All that was said: {self.log}"
            )


def last_complaint(said: str) -> str:
    """The last error among what PostgreSQL said."""
    marks = ("FATAL:", "PANIC:", "ERROR:", "error:")
    found = [line for line in said.splitlines() if any(mark in line for mark in marks)]
    return found[-1].strip() if found else ""


def _trust_vector(cluster: Path, user: User | None) -> None:
    """Let the owner create pgvector as the managed services' owners can, without being a superuser."""
    control = (extensions() / "vector.control").read_text()
    version = control.split("default_version = '")[1].split("'")[0]
    trusted = cluster / "trusted" / "extension"
    trusted.mkdir(parents=True)
    (trusted / "vector.control").write_text(f"{control.rstrip()}\ntrusted = true\n")
    shutil.copy(extensions() / f"vector--{version}.sql", trusted)
    if user is not None:
        for path in (trusted.parent, trusted, *trusted.iterdir()):
            os.chown(path, *user)


def _set_up(passwords: Mapping[str, str]) -> str:
    """One statement per line, as single-user mode reads them."""
    return "\n".join(
        [
            f"ALTER ROLE {ADMIN} PASSWORD '{passwords[ADMIN]}';",
            # It may create roles, but is no superuser: migrations get the rights that they get in production.
            f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD '{passwords[OWNER]}';",
            f"CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{passwords[APPLICATION]}';",
            f"GRANT {APPLICATION} TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION};",
            "",
        ]
    )
