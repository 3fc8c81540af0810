"""Calls to the endpoints of an identity provider.

Limits: 3 s to connect, 5 s for each read or write, 8 s and 256 KiB for the whole response, unless the caller sets
others. A call beyond them raises `ProviderTimeout` or `ProviderUnreachable`. Redirects are not followed: they would
send the code and the client's secret to another URL. At most 64 calls run at the same time, so that a silent provider
blocks no more requests; further calls raise `Overloaded`. httpx2 is imported at the first call, since few requests make
one.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tenantgate.errors.tokens import Overloaded, ProviderTimeout, ProviderUnreachable
from tenantgate.login.provider.lookups import HostLookups
from tenantgate.tokens.waiting import MOST_WAITING

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_RESPONSE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time-outs in seconds. `total` limits the whole exchange, even when data keeps arriving."""

    connect: float = 3.0
    read: float = 5.0
    total: float = 8.0


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
    ) -> Reply:
        """Make one call. Raises `ProviderUnreachable`, `ProviderTimeout`, `Overloaded`."""
        with self._counted(timeouts):
            return await self._send(method, url, headers=headers, timeouts=timeouts, form=form)

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
        self, method: str, url: str, *, headers: Mapping[str, str], timeouts: Timeouts, form: Mapping[str, str] | None
    ) -> Reply:
        import ssl  # noqa: PLC0415

        import httpx2  # noqa: PLC0415

        # The same roots as for discovery and key sets.
        self._tls = self._tls or ssl.create_default_context()
        limits = httpx2.Timeout(timeouts.read, connect=timeouts.connect)
        proxy = _proxy(url)
        host = urlsplit(url).hostname if proxy is None else proxy.url.host
        raw = bytearray()
        try:
            async with asyncio.timeout(timeouts.total):
                await self._lookups.require(host or "", seconds=timeouts.connect)
                # A new connection each time: an idle one may have closed while Lambda froze the process, and a code
                # can't be sent twice.
                async with (
                    httpx2.AsyncClient(
                        verify=self._tls, timeout=limits, follow_redirects=False, trust_env=False, proxy=proxy
                    ) as http,
                    http.stream(
                        method, url, headers=dict(headers), data=dict(form) if form is not None else None
                    ) as response,
                ):
                    async for chunk in response.aiter_bytes():
                        raw += chunk
                        if len(raw) > MAX_RESPONSE_BYTES:
                            raise ProviderUnreachable("the provider's response is too large", limit=MAX_RESPONSE_BYTES)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise ProviderTimeout("the provider took too long", failure=type(error).__name__) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderUnreachable("the provider can't be reached", failure=type(error).__name__) from None
        return Reply(response.status_code, _json_object(bytes(raw)))


def _proxy(url: str) -> httpx2.Proxy | None:
    """Return the proxy that discovery and key sets use, too; httpx2 would read the variables differently."""
    import httpx2  # noqa: PLC0415

    from tenantgate.tokens.proxy import MalformedProxy, proxy_for  # noqa: PLC0415

    parts = urlsplit(url)
    try:
        proxy = proxy_for(parts.netloc) if parts.scheme == "https" else None
    except MalformedProxy as problem:
        raise ProviderUnreachable("the proxy setting is malformed", variable=problem.variable) from None
    if proxy is None:
        return None
    return httpx2.Proxy(proxy.url, auth=None if proxy.user is None else (proxy.user, proxy.password))


def _json_object(raw: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
