"""Calls to the endpoints of an identity provider.

Limits: 3 s to connect, which is tried twice, 5 s for each read or write, 8 s and 256 KiB for the whole response, unless
the caller sets others. A call beyond them raises `ProviderTimeout` or `ProviderUnreachable`. Redirects are not
followed: they would send the code and the client's secret to another URL. At most 64 calls run at the same time, so
that a silent provider blocks no more requests; further calls raise `Overloaded`. httpcore2 is imported at the first
call, since few requests make one; httpx2, on top of it, would take as long again for each call.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode, urlsplit

from tenantgate import time_limits
from tenantgate.database.patience import note_work
from tenantgate.errors.tokens import Overloaded, ProviderTimeout, ProviderUnreachable
from tenantgate.login.provider.connections import connection_pool
from tenantgate.login.provider.lookups import HostLookups
from tenantgate.tokens.waiting import MOST_WAITING

if TYPE_CHECKING:
    import ssl

    import httpcore2

    from tenantgate.tokens.proxy import Proxy

MAX_RESPONSE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time-outs in seconds. `total` limits the whole exchange, even when data keeps arriving."""

    connect: float = time_limits.PROVIDER_CONNECT
    read: float = time_limits.PROVIDER_READ
    total: float = time_limits.PROVIDER_TOTAL


class Reply(NamedTuple):
    """A response: its status and its JSON object, or None for any other body."""

    status: int
    body: Mapping[str, object] | None


class ProviderCalls:
    """Makes the calls of one process."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        self._calls = 0
        self._lookups = HostLookups()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        form: Mapping[str, str] | None = None,
        json_body: Mapping[str, object] | None = None,
    ) -> Reply:
        """Make one call, with a form, a JSON object or no body.

        Raises `ProviderUnreachable`, `ProviderTimeout`, `Overloaded`.
        """
        # A redeemed code or refresh token can't be redeemed again: the request must now reach the database.
        note_work()
        with self._counted(timeouts):
            content = None if json_body is None else json.dumps(json_body).encode()
            if form is not None:
                content = urlencode(form).encode()
                headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
            return await self._send(method, url, headers=headers, timeouts=timeouts, content=content)

    @contextmanager
    def _counted(self, timeouts: Timeouts) -> Iterator[None]:
        if self._calls >= MOST_WAITING:
            retry_after = math.ceil(timeouts.total)
            raise Overloaded("too many requests wait for the provider's endpoints", retry_after=retry_after)
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    async def _send(
        self, method: str, url: str, *, headers: Mapping[str, str], timeouts: Timeouts, content: bytes | None
    ) -> Reply:
        import ssl  # noqa: PLC0415

        import httpcore2  # noqa: PLC0415

        # The same roots as for discovery and key sets.
        self._tls = self._tls or ssl.create_default_context()
        failures = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError)
        target, host = _target(url)
        proxy = _proxy(url)
        limits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read}
        try:
            async with asyncio.timeout(timeouts.total):
                await self._lookups.require(host if proxy is None else proxy.host, seconds=timeouts.connect)
                async with connection_pool(proxy, self._tls) as pool:
                    asked = _Asked(method, target, _headers(target, headers), content, {"timeout": limits})
                    try:
                        status, raw = await _exchanged(pool, asked)
                    except httpcore2.ConnectTimeout:
                        # Nothing was sent. A lost packet, or a server that was busy for a moment.
                        status, raw = await _exchanged(pool, asked)
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise ProviderTimeout("the provider took too long", failure=type(error).__name__) from None
        except failures as error:
            raise ProviderUnreachable("the provider can't be reached", failure=type(error).__name__) from None
        return Reply(status, _json_object(raw))


class _Asked(NamedTuple):
    method: str
    target: httpcore2.URL
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes | None
    extensions: dict[str, object]


async def _exchanged(pool: httpcore2.AsyncConnectionPool, asked: _Asked) -> tuple[int, bytes]:
    """Send the request, and return the response's status and body. Raises httpcore2's errors, `ProviderUnreachable`."""
    raw = bytearray()
    exchange = pool.stream(
        asked.method, asked.target, headers=asked.headers, content=asked.content, extensions=asked.extensions
    )
    async with exchange as response:
        async for chunk in response.aiter_stream():
            raw += chunk
            if len(raw) > MAX_RESPONSE_BYTES:
                raise ProviderUnreachable("the provider's response is too large", limit=MAX_RESPONSE_BYTES)
    return response.status, bytes(raw)


def _target(url: str) -> tuple[httpcore2.URL, str]:
    """Return the URL as the request needs it, and its host to look up."""
    import httpcore2  # noqa: PLC0415

    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return httpcore2.URL(scheme=parts.scheme, host=host, port=parts.port, target=path), host
    except (TypeError, ValueError) as error:
        raise ProviderUnreachable("the provider's URL is malformed", failure=type(error).__name__) from None


def _headers(target: httpcore2.URL, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    host = b"[%b]" % target.host if b":" in target.host else target.host
    named = {
        "Host": host.decode() if target.port is None else f"{host.decode()}:{target.port}",
        "User-Agent": "tenantgate",
        # A small body would expand to any size.
        "Accept-Encoding": "identity",
        **headers,
    }
    return [(name.encode(), value.encode()) for name, value in named.items()]


def _proxy(url: str) -> Proxy | None:
    """Return the proxy that discovery and key sets use, too."""
    from tenantgate.tokens.proxy import MalformedProxy, proxy_for  # noqa: PLC0415

    parts = urlsplit(url)
    try:
        return proxy_for(parts.netloc) if parts.scheme == "https" else None
    except MalformedProxy as problem:
        raise ProviderUnreachable("the proxy setting is malformed", variable=problem.variable) from None


def _json_object(raw: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
