"""One connection to a Valkey server, with a time limit for every step."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenantgate.cache_url import CacheUrl
from tenantgate.valkey_reader.replies import Replies, command

if TYPE_CHECKING:
    import ssl

# User and password, of which the user may be empty.
type Login = tuple[str, str]


class Connection:
    """A connection to a server. The commands of its login go out together with the first one of the caller.

    After any exception the connection must be closed: its next reply may belong to an earlier command.
    """

    def __init__(self, opened: socket.socket, greeting: tuple[bytes, ...] = ()) -> None:
        """Take a connected socket, and the commands to send first, each of which returns a status."""
        self._socket = opened
        self._greeting = greeting
        self._deadline = 0.0
        self._replies = Replies(self._receive)

    def exchange[Reply](self, sent: bytes, read: Callable[[Replies], Reply], *, seconds: float) -> Reply:
        """Send a command and read its reply, both within `seconds`.

        Raises `OSError` (`TimeoutError` for a server that is too slow), `InvalidReply` and `ErrorReply`.
        """
        self._deadline = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        self._socket.sendall(b"".join((*self._greeting, sent)))
        for _ in self._greeting:
            self._replies.status()
        self._greeting = ()
        reply = read(self._replies)
        self._replies.end()
        return reply

    def is_quiet(self) -> bool:
        """Tell whether the server neither closed the connection nor sent what no command asked for."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except BlockingIOError:
            return True
        except OSError as failure:
            # TLS has its own exception for "nothing to read".
            return type(failure).__name__ == "SSLWantReadError"
        return False

    def close(self) -> None:
        self._socket.close()

    def _receive(self, most: int) -> bytes:
        # The socket's own time-out would start again with every byte.
        self._socket.settimeout(_left(self._deadline))
        received = self._socket.recv(most)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        return received


def connect(url: CacheUrl, login: Login, *, seconds: float, tls: ssl.SSLContext | None) -> Connection:
    """Connect within `seconds`, TLS included. Raises `OSError`, and `UnicodeError` for a name that DNS can't have."""
    deadline = time.monotonic() + seconds
    opened = _connected(url, deadline)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            # A handshake takes the time-out for its whole length.
            opened.settimeout(_left(deadline))
            opened = tls.wrap_socket(opened, server_hostname=url.host)
    except BaseException:
        opened.close()
        raise
    return Connection(opened, _greeting(url, login))


def tls_context(url: CacheUrl) -> ssl.SSLContext:
    """Return the context for connections to this server. Raises `OSError` for an unreadable file of authorities."""
    # Imported here: a plain connection needs none of it, and it is the slowest import of a decision on a cookie.
    import ssl  # noqa: PLC0415

    if url.verified:
        return ssl.create_default_context(cafile=url.authorities)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _greeting(url: CacheUrl, login: Login) -> tuple[bytes, ...]:
    username, password = login
    user = (username.encode(),) if username else ()
    authenticate = (command(b"AUTH", *user, password.encode()),) if password else ()
    select = (command(b"SELECT", b"%d" % url.number),) if url.number else ()
    return authenticate + select


def _connected(url: CacheUrl, deadline: float) -> socket.socket:
    """Connect to one of the host's addresses: they share the time, because any may be dead."""
    found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for number, (family, kind, protocol, _name, place) in enumerate(found):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(_left(deadline) / (len(found) - number))
            opened.connect(place)
        except OSError as error:
            opened.close()
            failure = error
        else:
            return opened
    raise failure


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
