"""The folder of a PostgreSQL server: create it, and check it before a start.

cluster/        PostgreSQL's own data directory
roles.json      the random passwords of its three roles; mode 0600
postgres.log    PostgreSQL's log
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
from typing import override

from tenantgate_cli.stack.servers.launch import ServerBroken, User
from tenantgate_cli.stack.servers.postgres_programs import extensions, is_postgres, launch_program, postgres_version
from tenantgate_cli.stack.servers.server_folder import ServerFolder
from tenantgate_cli.stack.servers.unprivileged import reachable

DATABASE = "tenantgate"
ADMIN, OWNER, APPLICATION = "postgres", "tenantgate_owner", "tenantgate_app"
# A path through the working directory works even if PostgreSQL's user can't enter the folders above it.
_WORKING_DIRECTORY = "/proc/self/cwd"
_PROGRAM_SECONDS, _ENDING_SECONDS = 60.0, 10.0
_HOST_RULES = "host all all 127.0.0.1/32 scram-sha-256\n"


class PostgresFolder(ServerFolder):
    """The folder at `path`. Call `prepare` first. Every method may raise ServerBroken."""

    title = "PostgreSQL"
    log_name = "postgres.log"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.cluster = path / "cluster"
        self._roles = path / "roles.json"

    @override
    def prepare(self) -> None:
        """Create the folder if it is missing, and check that no server is using it."""
        super().prepare()
        if not self.cluster.exists():
            self._create()
        self._check()

    @override
    def data(self) -> Path:
        return self.cluster

    def passwords(self) -> Mapping[str, str]:
        """Return the password of each role."""
        try:
            passwords: dict[str, str] = json.loads(self._roles.read_text())
        except (OSError, ValueError):
            raise self.broken("its roles.json is missing or damaged") from None
        return passwords

    def path_for_server(self, folder: Path) -> str:
        """Return the path of `folder` that the server can use when it is the server's working directory."""
        if reachable(folder, self.user()):
            return str(folder)
        if not Path(_WORKING_DIRECTORY).exists():
            raise ServerBroken(
                f"PostgreSQL can't run as root, and its own user can't enter {folder}. "
                "Run this as another user, or choose another --data-dir."
            )
        return _WORKING_DIRECTORY

    def _check(self) -> None:
        version = self.cluster / "PG_VERSION"
        if missing := [name for name in ("PG_VERSION", "base", "global") if not (self.cluster / name).exists()]:
            raise self.broken(f"it is incomplete ({', '.join(missing)} is missing)")
        if (found := version.read_text().strip()) != (ours := postgres_version()):
            raise self.broken(f"it belongs to PostgreSQL {found[:8]}, and this is PostgreSQL {ours}")
        self.passwords()
        lock = self.cluster / "postmaster.pid"
        if not lock.is_file():
            return
        number = lock.read_text().split("\n", 1)[0].strip()
        pid = int(number) if number.isdigit() else 0
        # Our own server may still be ending after a kill.
        deadline = time.monotonic() + _ENDING_SECONDS
        while is_postgres(pid):
            if time.monotonic() > deadline:
                raise ServerBroken(
                    f"another PostgreSQL (process {pid}) is using the data folder {self.path}. "
                    f"Stop the program that started it, or run: kill -INT {pid}"
                )
            time.sleep(0.05)
        # Stale: the process has ended, or its id belongs to another program by now, which PostgreSQL can't detect.
        lock.unlink(missing_ok=True)

    def _create(self) -> None:
        """Create the cluster in another folder and rename it, so that an interruption leaves no incomplete cluster."""
        new = self.path / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        user = self.user()
        if user is not None:
            os.chown(new, *user)
        name = self.path_for_server(new)
        # There is no password yet, so that every connection is rejected; the set-up below runs without a network.
        command = ["initdb", "-D", name, "-U", ADMIN, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=reject"]
        self._run([*command, "--no-instructions", "--no-sync"], directory=new, user=user)
        (new / "pg_hba.conf").write_text(_HOST_RULES)
        _trust_vector(new, user)

        passwords = {role: secrets.token_urlsafe(24) for role in (ADMIN, OWNER, APPLICATION)}
        # Outside the cluster, mode 0600, and opened before the change of user: only the server reads the passwords.
        statements = self.path / "statements"
        statements.touch(mode=0o600)
        statements.write_text(_set_up(passwords))
        try:
            single = ["postgres", "--single", "-D", name, "-c", "exit_on_error=on", "postgres"]
            self._run(single, directory=new, user=user, stdin=str(statements))
        finally:
            statements.unlink()
        self._roles.unlink(missing_ok=True)
        self._roles.touch(mode=0o600)
        self._roles.write_text(json.dumps(passwords))
        new.rename(self.cluster)

    def _run(self, command: list[str], *, directory: Path, user: User | None, stdin: str = os.devnull) -> None:
        """Run a program and wait until it has ended."""
        log_size_before = self.log_size()
        running = launch_program(command, directory=directory, log=self.log, user=user, stdin=stdin)
        try:
            code = running.supervisor.wait(_PROGRAM_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            running.stop()
        log = self.logged_since(log_size_before)
        if code != 0 or "ERROR:" in log:
            raise ServerBroken(
                f"a new data folder can't be created in {self.path}: {last_error(log) or command[0]}. "
                f"The whole log: {self.log}"
            )


def last_error(log: str) -> str:
    """Return the last error in PostgreSQL's log, or an empty string."""
    marks = ("FATAL:", "PANIC:", "ERROR:", "error:")
    found = [line for line in log.splitlines() if any(mark in line for mark in marks)]
    return found[-1].strip() if found else ""


def _trust_vector(cluster: Path, user: User | None) -> None:
    """Let the owner create pgvector without being a superuser, as in managed services."""
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
    """Return the statements, one per line as single-user mode needs them."""
    return "\n".join(
        [
            f"ALTER ROLE {ADMIN} PASSWORD '{passwords[ADMIN]}';",
            # The owner may create roles, but isn't a superuser, so that migrations have their rights of production.
            f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD '{passwords[OWNER]}';",
            f"CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{passwords[APPLICATION]}';",
            f"GRANT {APPLICATION} TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION};",
            "",
        ]
    )
