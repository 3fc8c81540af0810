"""The client of Valkey.

Time limits keep a server that is down or frozen from blocking requests: 0.5 s to connect and log in, 0.5 s for a
command; longer if this process itself notices their end late (`own_delay.py`). After a failure, callers get
`CacheUnavailable` at once for a second; then one of them tries again. A connection whose command failed, timed out or
was cancelled is aborted: the next caller would read its late reply.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import cast

from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as TooSlow

from tenantgate import time_limits
from tenantgate.cache.connection import ValkeyConnection, new_connection
from tenantgate.cache.interface import ScriptCall
from tenantgate.cache.own_delay import within
from tenantgate.cache.pause import Pause
from tenantgate.cache_url import CacheUrl
from tenantgate.errors.cache import CacheUnavailable

CONNECT_SECONDS = time_limits.CACHE_CONNECT
COMMAND_SECONDS = time_limits.CACHE_COMMAND
PAUSE_SECONDS = 1.0
# Below the idle time-outs of servers and of the networks in between.
IDLE_SECONDS = 60.0
CONNECTIONS = 64

# ValueError: a reply in no form of the protocol.
_FAILURES = (OSError, ValueError, RedisError)


class ValkeyCache:
    """A `Cache` (`interface.py`) with up to 64 connections, opened as they are needed."""

    def __init__(self, url: CacheUrl) -> None:
        self._url = url
        self._idle: list[ValkeyConnection] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._pause = Pause(PAUSE_SECONDS)
        self._disposed = False
        self._is_prepared = not url.iam_cache

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        return cast("list[bytes | None]", await self._run(lambda connection: connection.ask("MGET", *keys)))

    async def set(self, key: str, value: bytes, *, seconds: int) -> None:
        await self._run(lambda connection: connection.ask("SET", key, value, "EX", seconds))

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object:
        operands = _operands(ScriptCall(keys, args))

        async def work(connection: ValkeyConnection) -> object:
            try:
                return await connection.ask("EVALSHA", _digest(script), *operands)
            except NoScriptError:
                return await connection.ask("EVAL", script, *operands)

        return await self._run(work)

    async def run_script_for_each(self, script: str, calls: Sequence[ScriptCall]) -> None:
        async def work(connection: ValkeyConnection) -> None:
            try:
                await connection.ask_all([("EVALSHA", _digest(script), *_operands(call)) for call in calls])
            except NoScriptError:
                await connection.ask_all([("EVAL", script, *_operands(call)) for call in calls])

        await self._run(work)

    async def ping(self, timeout: float) -> None:  # noqa: ASYNC109  (the caller's own deadline)
        # A new connection, also during a pause: an open one proves little.
        await self._prepare()
        connection: ValkeyConnection | None = None
        failed: CacheUnavailable | None = None
        try:
            async with asyncio.timeout(timeout):
                connection = await new_connection(self._url)
                await connection.open()
                await connection.ask("PING")
        except _FAILURES as error:
            failed = _failure(error)
        finally:
            if connection is not None:
                await connection.abort()
        if failed is not None:
            raise failed
        self._pause.succeeded()

    async def dispose(self) -> None:
        self._disposed = True
        await self._abort_idle()
        # The transports close in the loop's next turn.
        await asyncio.sleep(0)

    async def _run[T](self, work: Callable[[ValkeyConnection], Awaitable[T]]) -> T:
        if not self._pause.admits():
            raise CacheUnavailable("it failed a moment ago")
        await self._prepare()
        try:
            async with within(CONNECT_SECONDS + COMMAND_SECONDS), self._slots:
                result = await self._attempt(work)
        except ResponseError as error:
            # The server responds, so that nothing is gained by a pause.
            failed = _failure(error)
        except _FAILURES as error:
            self._pause.failed()
            failed = _failure(error)
        else:
            self._pause.succeeded()
            return result
        # Outside the `except` blocks: a logged exception chain would contain the command's arguments.
        raise failed

    async def _attempt[T](self, work: Callable[[ValkeyConnection], Awaitable[T]]) -> T:
        reused = await self._take()
        if reused is not None:
            try:
                return await self._on(reused, work)
            except (TimeoutError, TooSlow):
                raise
            except (OSError, ConnectionLost):
                # The server closed it in the meantime, and with it the others.
                await self._abort_idle()
        return await self._on(await self._connected(), work)

    async def _connected(self) -> ValkeyConnection:
        async with within(CONNECT_SECONDS):
            fresh = await new_connection(self._url)
            try:
                await fresh.open()
            except BaseException:
                await fresh.abort()
                raise
        return fresh

    async def _prepare(self) -> None:
        """Load the code for IAM logins, so that it doesn't count towards the first connection's time limit."""
        if not self._is_prepared:
            from tenantgate.aws.elasticache import prepare_cache_login  # noqa: PLC0415  (only with REDIS_IAM_CACHE)

            await asyncio.to_thread(prepare_cache_login)
            self._is_prepared = True

    async def _on[T](self, connection: ValkeyConnection, work: Callable[[ValkeyConnection], Awaitable[T]]) -> T:
        try:
            async with within(COMMAND_SECONDS):
                result = await work(connection)
        except ResponseError:
            await self._give_back(connection)
            raise
        except BaseException:
            await connection.abort()
            raise
        await self._give_back(connection)
        return result

    async def _take(self) -> ValkeyConnection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since < IDLE_SECONDS and await _is_clean(connection):
                return connection
            await connection.abort()
        return None

    async def _give_back(self, connection: ValkeyConnection) -> None:
        if self._disposed:
            await connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    async def _abort_idle(self) -> None:
        while self._idle:
            await self._idle.pop().abort()


async def _is_clean(connection: ValkeyConnection) -> bool:
    """Tell whether the connection is open and has no data that no command asked for."""
    try:
        return not await connection.can_read()
    except _FAILURES:
        return False


def _operands(call: ScriptCall) -> tuple[str | bytes | int, ...]:
    return (len(call.keys), *call.keys, *call.args)


@lru_cache(maxsize=32)
def _digest(script: str) -> str:
    # The protocol's own identifier of a script, not a protection.
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _failure(error: BaseException) -> CacheUnavailable:
    """Return the exception to raise. It has no text of a reply, which may repeat keys and values."""
    text = str(error) if type(error) is ConnectionLost else ""
    return CacheUnavailable(type(error).__name__, error=text)
