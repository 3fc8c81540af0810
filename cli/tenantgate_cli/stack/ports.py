"""Bind loopback ports, and find the process that holds one."""

from __future__ import annotations

import contextlib
import errno
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

# The name that every address shows. Its cookies and those of 127.0.0.1 are separate.
HOST = "localhost"
# All names of this machine, as they are written in URLs.
LOOPBACK_NAMES = (HOST, "127.0.0.1", "[::1]")

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  (addresses of other programs)
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_ATTEMPTS = 20


class PortTaken(Exception):
    """Another process holds the port. `holder` describes it, if this user may see it."""

    def __init__(self, port: int, address: str, holder: str) -> None:
        where = "" if address == "127.0.0.1" else f" on [{address}]"
        super().__init__(f"port {port}{where} is taken by {holder}")
        self.port = port
        self.holder = holder


class PortForbidden(Exception):
    """This user isn't allowed to listen on the port."""


@dataclass(frozen=True, slots=True)
class BoundPort:
    """One port with a listening socket on 127.0.0.1 and, on a machine with IPv6, another one on ::1.

    `localhost` may resolve to either address. If another program held the port on ::1, it would receive the requests
    of some clients.
    """

    port: int
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bind(port: int) -> BoundPort:
    """Listen on `port` of every loopback address, 0 for any free port. Raises PortTaken or PortForbidden."""
    if port != 0:
        return _bind_all(port)
    for _ in range(_ATTEMPTS):
        # A port that is free on 127.0.0.1 may be taken on ::1.
        with contextlib.suppress(PortTaken):
            return _bind_all(0)
    return _bind_all(0)


def next_free(port: int) -> int:
    """Return the first free port above `port`, or 0 if the next 100 are taken."""
    for candidate in range(port + 1, min(port + 100, 65536)):
        try:
            bind(candidate).close()
        except (PortTaken, PortForbidden):
            continue
        return candidate
    return 0


def holder_of(port: int, address: str) -> str:
    """Return `name (process 123)` for the process that listens on the port of this address, or of every address."""
    for process in psutil.process_iter(["name"]):
        try:
            listens = any(
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                # This process may hold the port of the other loopback address.
                and connection.laddr.ip in (address, *_EVERY_ADDRESS)
                for connection in process.net_connections(kind="tcp")
            )
        except psutil.Error:
            continue
        if listens:
            return f"{process.info['name']} (process {process.pid})"
    return "another program"


def _bind_all(port: int) -> BoundPort:
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, address in _ADDRESSES:
            sock = _listen(family, address, port)
            if sock is not None:
                sockets.append(opened.enter_context(sock))
                port = int(sock.getsockname()[1])
        opened.pop_all()
    return BoundPort(port, tuple(sockets))


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    """Return a listening socket; None if this machine has no such IPv6 address."""
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        # Allows a restart while connections of the last run are closing. Two programs still can't share a port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(1024)
    except OSError as error:
        if sock is not None:
            sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port, address, holder_of(port, address)) from error
        if error.errno == errno.EACCES:
            raise PortForbidden(f"port {port} needs administrator rights") from error
        if family == socket.AF_INET6 and error.errno in _NO_SUCH_ADDRESS:
            return None
        raise
    return sock
