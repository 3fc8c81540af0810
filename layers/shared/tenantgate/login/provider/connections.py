"""HTTP connections to the provider: by default a new one for each call.

On Lambda an idle connection may have closed while the process was frozen. A server that always runs enters
`keeping_connections()`: under load, calls then share connections and save the handshakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import ssl

    import httpcore2

    from tenantgate.tokens.proxy import Proxy

# Shorter than the idle time-outs of servers (5 s is usual), since a code or refresh token can't be sent twice: a server
# must not close the connection just before it gets a request.
KEPT_SECONDS = 2.0
_KEPT = 16

# By event loop: connections must not outlive their loop.
_keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Keeper] = WeakKeyDictionary()


class _Keeper:
    """The pools of an event loop, by their proxy."""

    def __init__(self) -> None:
        self._pools: dict[Proxy | None, httpcore2.AsyncConnectionPool] = {}

    def pool(self, proxy: Proxy | None, tls: ssl.SSLContext) -> httpcore2.AsyncConnectionPool:
        if (known := self._pools.get(proxy)) is not None:
            return known
        made = self._pools[proxy] = _new_pool(proxy, tls, kept=_KEPT)
        return made

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


@asynccontextmanager
async def keeping_connections() -> AsyncIterator[None]:
    """Keep connections of the running event loop for up to two seconds after a call, and close them at the end."""
    loop = asyncio.get_running_loop()
    keeper = _keepers[loop] = _Keeper()
    try:
        yield
    finally:
        del _keepers[loop]
        await keeper.close()


@asynccontextmanager
async def connection_pool(proxy: Proxy | None, tls: ssl.SSLContext) -> AsyncIterator[httpcore2.AsyncConnectionPool]:
    """Lend a pool for one call. It follows no redirects, stores no cookies and ignores the environment."""
    keeper = _keepers.get(asyncio.get_running_loop())
    if keeper is not None:
        yield keeper.pool(proxy, tls)
        return
    async with _new_pool(proxy, tls, kept=0) as pool:
        yield pool


def _new_pool(proxy: Proxy | None, tls: ssl.SSLContext, *, kept: int) -> httpcore2.AsyncConnectionPool:
    import httpcore2  # noqa: PLC0415

    auth = None if proxy is None or proxy.user is None else (proxy.user.encode(), proxy.password.encode())
    return httpcore2.AsyncConnectionPool(
        ssl_context=tls,
        proxy=None if proxy is None else httpcore2.Proxy(proxy.url, auth=auth),
        max_connections=None,
        max_keepalive_connections=kept,
        keepalive_expiry=KEPT_SECONDS,
    )
