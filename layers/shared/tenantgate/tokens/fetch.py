"""One bounded GET of a JSON object from a provider: time, size and hops are limited.

`http.client` and `ssl` are imported only here, and only when something is fetched.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tenantgate.errors.tokens import MalformedToken, ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.jws import json_object
from tenantgate.urls import is_endpoint_url

if TYPE_CHECKING:
    import http.client
    import socket

    from _typeshed import WriteableBuffer

MAX_BYTES = 256 * 1024
# The message of `http.client`, before the status.
_REFUSED_TUNNEL = "Tunnel connection failed: "


class FetchJson(Protocol):
    def __call__(self, url: str, *, timeout: float) -> Mapping[str, object]:
        """Return the JSON object at `url` within `timeout` seconds.

        Raises `ProviderUnreachable` or `ProviderTimeout`.
        """
        ...


def fetch_json(url: str, *, timeout: float, max_bytes: int = MAX_BYTES) -> Mapping[str, object]:
    """GET `url` and read the response as one JSON object.

    No redirect is followed: the response would choose the next server to connect to (SSRF). `timeout` limits the whole
    exchange, so that a server can't hold the connection by sending single bytes. Certificates are verified.
    Raises `ProviderTimeout`, or `ProviderUnreachable` for every other failure.
    """
    import http.client  # noqa: PLC0415

    deadline = time.monotonic() + timeout
    connection = _connection(url, timeout)
    try:
        body = _exchange(connection, url, deadline, max_bytes)
    except TimeoutError:
        raise ProviderTimeout("the provider responded too slowly", url=url, seconds=timeout) from None
    except (OSError, http.client.HTTPException) as failure:
        if str(failure).startswith(_REFUSED_TUNNEL):
            status = str(failure).removeprefix(_REFUSED_TUNNEL)[:3]
            raise ProviderUnreachable("the proxy refused the connection", url=url, actual=status) from None
        raise ProviderUnreachable("the provider can't be reached", url=url, failure=type(failure).__name__) from failure
    finally:
        connection.close()
    try:
        return json_object(body, "response")
    except MalformedToken as failure:
        raise ProviderUnreachable("the provider's response is not a JSON object", url=url) from failure


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    import http.client  # noqa: PLC0415

    # Over plain http, anyone on the network could replace the keys.
    if not is_endpoint_url(url, loopback_http=True):
        raise ProviderUnreachable("only https:// is fetched, and http:// from loopback", url=url)
    authority = _split(url)[0]
    if url.startswith("http://"):
        return http.client.HTTPConnection(authority, timeout=timeout)
    import ssl  # noqa: PLC0415

    from tenantgate.tokens.proxy import MalformedProxy, proxy_for  # noqa: PLC0415

    try:
        proxy = proxy_for(authority)
    except MalformedProxy as problem:
        raise ProviderUnreachable("the proxy setting is malformed", variable=problem.variable) from None
    context = ssl.create_default_context()
    if proxy is None:
        return http.client.HTTPSConnection(authority, timeout=timeout, context=context)
    connection = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=timeout, context=context)
    headers = {"User-Agent": "tenantgate"}
    if proxy.authorization is not None:
        headers["Proxy-Authorization"] = proxy.authorization
    connection.set_tunnel(authority, headers=headers)
    return connection


def _split(url: str) -> tuple[str, str]:
    """Authority and request target (RFC 9112 §3.2.1): a query may follow the authority at once."""
    rest = url.partition("://")[2]
    authority = rest.partition("/")[0].partition("?")[0]
    target = rest[len(authority) :]
    return authority, target if target.startswith("/") else "/" + target


def _exchange(connection: http.client.HTTPConnection, url: str, deadline: float, max_bytes: int) -> bytes:
    # Before connecting: a proxy's response has the same deadline.
    connection.response_class = _response_within(deadline)
    connection._create_connection = _connect_within(deadline)  # type: ignore[attr-defined]  # noqa: SLF001
    connection.connect()
    connection.sock.settimeout(_left(deadline))
    connection.request("GET", _split(url)[1], headers={"Accept": "application/json", "User-Agent": "tenantgate"})
    response = connection.getresponse()
    if response.status != 200:
        raise ProviderUnreachable("the provider's response is not 200", url=url, actual=response.status)
    body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise ProviderUnreachable("the provider's response is too long", url=url, expected=f"at most {max_bytes} bytes")
    if response.length:
        raise ProviderUnreachable("the provider's response was cut off", url=url)
    return body


def _connect_within(deadline: float) -> Callable[..., socket.socket]:
    """Return a function for `http.client` to connect with: the addresses share the time, and any may be dead."""
    import socket  # noqa: PLC0415

    def connect(place: tuple[str, int], *_: object) -> socket.socket:
        found = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
        failure = OSError("the host has no address")
        for number, (family, kind, protocol, _name, address) in enumerate(found):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(_left(deadline) / (len(found) - number))
                opened.connect(address)
                # A TLS handshake takes this for its whole length.
                opened.settimeout(_left(deadline))
            except OSError as error:
                opened.close()
                failure = error
            else:
                return opened
        raise failure

    return connect


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _response_within(deadline: float) -> type[http.client.HTTPResponse]:
    import http.client  # noqa: PLC0415

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(_DeadlineSocket(sock, deadline), *args, **options)  # type: ignore[arg-type]

    return Response


class _DeadlineSocket:
    """The part of a socket that `HTTPResponse` needs: a file to read from, with one deadline for all reads."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline

    def makefile(self, mode: Literal["rb"]) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineFile(self._socket, self._deadline, mode))


class _DeadlineFile(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float, mode: Literal["rb"]) -> None:
        self._raw = sock.makefile(mode, buffering=0)
        self._socket = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        # The socket's own time-out would start again with every byte.
        self._socket.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
