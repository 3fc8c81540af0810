"""One connection to Valkey: redis-py's, without its retries, its own time limits and the commands that it adds.

By default redis-py retries ten times, waits 5 s, and sends `HELLO`, `CLIENT SETINFO` and `CLIENT MAINT_NOTIFICATIONS`,
whose pushed messages can prolong its time limits.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, override

from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from tenantgate.cache_url import CacheUrl


class ValkeyConnection(Connection):
    """A connection that its owner limits in time and, after any failure, aborts instead of using it again."""

    def __init__(self, url: CacheUrl, login: tuple[str, str]) -> None:
        """Take the user, which may be empty, and the password or token."""
        super().__init__(
            host=url.host,
            port=url.port,
            db=url.number,
            username=login[0] or None,
            password=login[1] or None,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=None,
            driver_info=None,
        )
        self._tls = _context(url.verified, url.authorities) if url.tls else None
        # By the loop's clock.
        self.idle_since = 0.0

    async def open(self) -> None:
        """Connect and log in."""
        await self.connect()  # type: ignore[no-untyped-call]

    async def ask(self, *parts: str | bytes | int) -> Any:
        """Send one command and return its reply."""
        self._require_open()
        await self.send_command(*parts)
        return await self.read_response()

    async def ask_all(self, commands: Sequence[Sequence[str | bytes | int]]) -> None:
        """Send commands together, and wait for all replies. Raises the first reply's error, after the last reply."""
        self._require_open()
        await self.send_packed_command(self.pack_commands(commands))
        refused: ResponseError | None = None
        for _ in commands:
            try:
                await self.read_response()
            except ResponseError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    async def abort(self) -> None:
        """Close at once: a server that doesn't respond wouldn't take part in an orderly end."""
        if self._writer is not None:
            self._writer.transport.abort()
        await self.disconnect(nowait=True)

    def _require_open(self) -> None:
        if self._writer is not None and self._writer.transport.is_closing():
            # A write would raise an error of the event loop: uvloop's is a RuntimeError.
            raise ConnectionResetError("the connection is closed")

    @override
    def _connection_arguments(self) -> Mapping[str, Any]:
        arguments = dict(super()._connection_arguments())
        return arguments if self._tls is None else {**arguments, "ssl": self._tls}


async def new_connection(url: CacheUrl) -> ValkeyConnection:
    """Make a connection, not yet open, with the login of the URL or a new IAM token. Raises `TokenUnavailable`."""
    if not url.iam_cache:
        return ValkeyConnection(url, (url.user, url.password))
    from tenantgate.aws.elasticache import cache_login  # noqa: PLC0415  (only with REDIS_IAM_CACHE)

    return ValkeyConnection(url, await asyncio.to_thread(cache_login, url))


@cache
def _context(verified: bool, authorities: str | None) -> ssl.SSLContext:
    # Created once: reading the system's authorities takes longer than connecting.
    context = ssl.create_default_context(cafile=authorities)
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
