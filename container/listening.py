"""The sockets that the container listens on: the same port for IPv4 and IPv6."""

from __future__ import annotations

import errno
import socket

# The kernel has no IPv6, or it is switched off on this host.
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


def listening_sockets(port: int) -> list[socket.socket]:
    """Bind `port` on all addresses of both families, or of the one that this host has; 0 chooses a free port.

    They are separate sockets: one for both would show IPv4 clients as `::ffff:192.0.2.1`, which is in none of the
    networks in `TRUSTED_PROXIES`. Raises OSError if the port is taken or forbidden.
    """
    bound: list[socket.socket] = []
    absent: OSError | None = None
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104  (the host publishes it)
        try:
            bound.append(_bound(family, address, port))
        except OSError as error:
            if error.errno not in _NO_SUCH_FAMILY:
                for one in bound:
                    one.close()
                raise
            absent = error
        else:
            port = bound[-1].getsockname()[1]
    if not bound and absent is not None:
        raise absent
    return bound


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.set_inheritable(True)
    except OSError:
        made.close()
        raise
    return made


def urls(sockets: list[socket.socket]) -> str:
    """Return their addresses for the log."""
    names = (one.getsockname()[:2] for one in sockets)
    return ", ".join(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host, port in names)
