"""A server on this machine, for development and tests: no installation, no account, loopback only.

If the caller is root, it runs as an unprivileged user.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tenantgate_cli.stack.servers.launch import Running, ServerBroken, runs
from tenantgate_cli.stack.servers.server_folder import ServerFolder

# Recovery from a crash may take long.
_START_SECONDS = 60.0
_RETRY_SECONDS = 10.0


class EmbeddedServer[Addresses](ABC):
    """One server on a data folder, which it creates if it is missing, and keeps.

    The server ends with this object's process, also after a SIGKILL. Not thread-safe.
    """

    program: ClassVar[str]

    def __init__(self, folder: ServerFolder, *, port: int | None) -> None:
        self._server_folder = folder
        self._port = port
        self._running: Running | None = None

    @property
    def data_dir(self) -> Path:
        return self._server_folder.path

    @property
    def log(self) -> Path:
        """The path of the server's log."""
        return self._server_folder.log

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

    def start(self) -> Addresses:
        """Start the server and wait until it accepts connections. Raises ServerBroken.

        Starts it again if it was killed; does nothing if it is running.
        """
        # A killed server has ended a moment before its supervisor notices.
        if self._running is None or self._running.has_ended() or not runs(self._running.pid, self.program):
            self.stop()
            self._server_folder.prepare()
            self._start()
        return self._addresses()

    def stop(self) -> None:
        """Stop the server without waiting for its clients. Return when it has ended. Harmless if not running."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    @abstractmethod
    def _addresses(self) -> Addresses: ...

    @abstractmethod
    def _launch(self, port: int) -> Running: ...

    @abstractmethod
    def _is_ready(self, log: str) -> bool:
        """Tell whether it accepts connections. `log`: its log since this start."""

    @abstractmethod
    def _failure(self, log: str) -> Exception:
        """Return the reason in the log of a start that failed: PortTaken, StillEnding or ServerBroken."""

    def _start(self) -> None:
        give_up = time.monotonic() + _RETRY_SECONDS
        while True:
            port = self._port or _free_port()
            try:
                self._run(port)
            except PortTaken:
                if self._port is not None or time.monotonic() > give_up:
                    raise ServerBroken(
                        f"port {port} on 127.0.0.1 is taken by another program. Stop it, or choose another port."
                    ) from None
            except StillEnding:
                if time.monotonic() > give_up:
                    raise self._server_folder.broken("processes of its last server are still running") from None
                time.sleep(0.05)
            else:
                self._port = port
                return

    def _run(self, port: int) -> None:
        folder = self._server_folder
        log_size_before = folder.log_size()
        self._running = self._launch(port)
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready(folder.logged_since(log_size_before)):
            if self._running.has_ended() or time.monotonic() > deadline:
                self.stop()
                raise self._failure(folder.logged_since(log_size_before))
            time.sleep(0.01)


class PortTaken(Exception):
    """Another program listens on the port."""


class StillEnding(Exception):
    """The last server was killed, and its child processes haven't ended yet."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
