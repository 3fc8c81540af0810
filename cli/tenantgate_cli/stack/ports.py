"""Bind loopback ports, and find the process that holds one."""

from __future__ import annotations

import errno
import socket

import psutil

HOST = "127.0.0.1"


class PortTaken(Exception):
    """Another process holds the port. `holder` describes it, if this user may see it."""

    def __init__(self, port: int, holder: str) -> None:
        super().__init__(f"port {port} is taken by {holder}")
        self.port = port
        self.holder = holder


class PortForbidden(Exception):
    """This user isn't allowed to listen on the port."""


def bind(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1:`port`, 0 for any free port. Raises PortTaken or PortForbidden."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Allows a restart while connections of the last run are closing. Two programs still can't share a port.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port, holder_of(port)) from error
        if error.errno == errno.EACCES:
            raise PortForbidden(f"port {port} needs administrator rights") from error
        raise
    return sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def next_free(port: int) -> int:
    """Return the first free port above `port`, or 0 if the next 100 are taken."""
    for candidate in range(port + 1, min(port + 100, 65536)):
        try:
            bind(candidate).close()
        except (PortTaken, PortForbidden):
            continue
        return candidate
    return 0


def holder_of(port: int) -> str:
    """Return `name (process 123)` for the process that listens on the port."""
    for process in psutil.process_iter(["name"]):
        try:
            listens = any(
                connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
                for connection in process.net_connections(kind="tcp")
            )
        except psutil.Error:
            continue
        if listens:
            return f"{process.info['name']} (process {process.pid})"
    return "another program"
