"""The client against a real Valkey: its methods, and a server that is lost, frozen, full or another program."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock

import pytest
import uvloop

from tenantgate.cache import client
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache.interface import ScriptCall
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.valkey import command, frozen

pytestmark = pytest.mark.anyio

type StartValkey = Callable[..., EmbeddedValkey]

ECHO = "return {KEYS[1], ARGV[1]}"
# The time limits are met within this.
SLACK_SECONDS = 0.3


@asynccontextmanager
async def cache_at(url: str) -> AsyncIterator[ValkeyCache]:
    made = ValkeyCache(parse_cache_url(url, protection="verify-full"))
    try:
        yield made
    finally:
        await made.dispose()


async def unavailable(call: Awaitable[object]) -> float:
    """Return the seconds until the call raises."""
    began = time.monotonic()
    with pytest.raises(CacheUnavailable):
        await call
    return time.monotonic() - began


def clients(url: str) -> int:
    """Return the number of connections to the server, with the command's own."""
    return len(command(url, "CLIENT", "LIST").splitlines())


async def test_values_are_bytes_and_a_missing_key_has_no_value(redis_url: str) -> None:
    async with cache_at(redis_url) as cache:
        await cache.set("key", b"\x00\xff\r\n", seconds=20)
        assert await cache.get_many(["key", "other", "key"]) == [b"\x00\xff\r\n", None, b"\x00\xff\r\n"]
        assert await cache.get_many([]) == []
    assert 0 < command(redis_url, "TTL", "key") <= 20


async def test_a_script_runs_before_and_after_the_server_knows_it(redis_url: str) -> None:
    command(redis_url, "SCRIPT", "FLUSH")
    async with cache_at(redis_url) as cache:
        for value in (b"\x00\xff", "text", 7):
            written = value if isinstance(value, bytes) else str(value).encode()
            assert await cache.run_script(ECHO, ["key"], [value]) == [b"key", written]
        assert await cache.run_script("return 5", [], []) == 5
        assert await cache.run_script("return false", [], []) is None


async def test_a_script_runs_for_each_call_before_and_after_the_server_knows_it(redis_url: str) -> None:
    script = "return redis.call('SET', KEYS[1], ARGV[1], 'EX', 20)"
    command(redis_url, "SCRIPT", "FLUSH")
    async with cache_at(redis_url) as cache:
        for values in ((b"\x00\xff", "text"), (1, 2)):
            await cache.run_script_for_each(script, [ScriptCall(["a"], [values[0]]), ScriptCall(["b"], [values[1]])])
            written = [value if isinstance(value, bytes) else str(value).encode() for value in values]
            assert await cache.get_many(["a", "b"]) == written


@pytest.mark.parametrize("refused", [0, 1, 2], ids=["first", "second", "last"])
async def test_after_a_refused_call_the_next_reply_is_that_of_its_own_command(redis_url: str, refused: int) -> None:
    script = "if ARGV[1] == 'canary' then return redis.call('NONE') end return redis.call('SET', KEYS[1], ARGV[1])"
    calls = [ScriptCall([f"of{n}"], ["canary" if n == refused else str(n)]) for n in range(3)]
    async with cache_at(redis_url) as cache:
        await cache.set("own", b"value", seconds=20)
        for _ in range(2):
            with pytest.raises(CacheUnavailable) as caught:
                await cache.run_script_for_each(script, calls)
            assert "canary" not in f"{caught.value}{caught.value.private}{caught.value.__cause__}"
            assert await cache.get_many(["own"]) == [b"value"]
        # The others have run.
        kept = await cache.get_many([f"of{n}" for n in range(3)])
        assert kept == [None if n == refused else str(n).encode() for n in range(3)]
        await cache.run_script("return redis.call('DEL', unpack(KEYS))", [f"of{n}" for n in range(3)], [])


async def test_a_refused_command_is_unavailable_without_a_pause_and_repeats_no_argument(redis_url: str) -> None:
    async with cache_at(redis_url) as cache:
        with pytest.raises(CacheUnavailable) as caught:
            await cache.run_script("return redis.call('NONE', ARGV[1])", ["key"], ["canary"])
        assert "canary" not in f"{caught.value}{caught.value.private}{caught.value.__cause__}"
        assert caught.value.__context__ is None
        assert await cache.get_many(["key"]) == [None]


async def test_a_full_server_refuses_writes_and_still_responds(own_valkey: StartValkey) -> None:
    async with cache_at(own_valkey(maxmemory="2mb").start()) as cache:
        await cache.set("key0", b"x" * 100_000, seconds=60)
        with pytest.raises(CacheUnavailable, match="OutOfMemoryError"):
            await asyncio.gather(*(cache.set(f"key{n}", b"x" * 100_000, seconds=60) for n in range(1, 100)))
        assert (await cache.get_many(["key0"]))[0] is not None


async def test_a_wrong_password_is_unavailable(redis_url: str) -> None:
    async with cache_at(redis_url.replace("redis://:", "redis://:x")) as cache:
        with pytest.raises(CacheUnavailable, match="AuthenticationError"):
            await cache.get_many(["key"])
        with pytest.raises(CacheUnavailable, match="AuthenticationError"):
            await cache.ping(0.3)


async def test_a_restarted_server_is_found_again_without_a_failure(own_valkey: StartValkey) -> None:
    server = own_valkey()
    async with cache_at(server.start()) as cache:
        await asyncio.gather(*(cache.get_many(["key"]) for _ in range(5)))
        server.stop()
        server.start()
        assert await cache.get_many(["key"]) == [None]


async def test_a_server_that_is_down_is_unavailable_until_it_is_back(own_valkey: StartValkey) -> None:
    server = own_valkey()
    async with cache_at(server.start()) as cache:
        await cache.set("key", b"1", seconds=60)
        server.stop()
        assert await unavailable(cache.get_many(["key"])) < SLACK_SECONDS
        assert await unavailable(cache.ping(0.3)) < SLACK_SECONDS
        server.start()
        # The check ends the pause; without it, the pause ends after a second.
        await cache.ping(0.3)
        assert await cache.get_many(["key"]) == [None]


async def test_a_frozen_server_delays_one_call_and_no_late_reply_is_taken_for_another(own_valkey: StartValkey) -> None:
    server = own_valkey()
    async with cache_at(server.start()) as cache:
        await cache.set("one", b"1", seconds=60)
        await cache.set("two", b"2", seconds=60)
        with frozen(server):
            assert await unavailable(cache.get_many(["one"])) < client.COMMAND_SECONDS + SLACK_SECONDS
            for _ in range(20):
                assert await unavailable(cache.get_many(["one"])) < 0.05
            assert await unavailable(cache.ping(0.2)) < 0.2 + SLACK_SECONDS
        await asyncio.sleep(client.PAUSE_SECONDS)
        assert await cache.get_many(["two"]) == [b"2"]
        assert await cache.get_many(["one", "two"]) == [b"1", b"2"]


async def test_many_callers_of_a_frozen_server_wait_no_longer_than_one(own_valkey: StartValkey) -> None:
    server = own_valkey()
    async with cache_at(server.start()) as cache:
        await cache.ping(1)
        with frozen(server):
            began = time.monotonic()
            waited = await asyncio.gather(*(unavailable(cache.get_many(["key"])) for _ in range(200)))
            # Many begin before the first one has failed.
            assert time.monotonic() - began < client.CONNECT_SECONDS + client.COMMAND_SECONDS + SLACK_SECONDS
            assert max(waited) < client.CONNECT_SECONDS + client.COMMAND_SECONDS + SLACK_SECONDS


async def test_a_cancelled_call_leaves_no_reply_for_the_next_one(own_valkey: StartValkey) -> None:
    server = own_valkey()
    async with cache_at(server.start()) as cache:
        await cache.set("one", b"1", seconds=60)
        await cache.set("two", b"2", seconds=60)
        with frozen(server):
            task = asyncio.create_task(cache.get_many(["one"]))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        for _ in range(5):
            assert await cache.get_many(["two"]) == [b"2"]


async def test_an_idle_connection_with_data_on_it_is_not_used(redis_url: str) -> None:
    async with cache_at(redis_url) as cache:
        await cache.set("one", b"1", seconds=60)
        (connection,) = cache._idle
        await connection.send_command("GET", "one")
        await asyncio.sleep(0.05)
        assert await cache.get_many(["other"]) == [None]


async def test_connections_are_reused_and_bounded(redis_url: str) -> None:
    async with cache_at(redis_url) as cache:
        await asyncio.gather(*(cache.get_many(["key"]) for _ in range(300)))
        assert len(cache._idle) <= client.CONNECTIONS
        opened = command(redis_url, "INFO", "stats")["total_connections_received"]
        for _ in range(50):
            await cache.get_many(["key"])
        assert command(redis_url, "INFO", "stats")["total_connections_received"] == opened + 1  # the command's own


async def test_after_dispose_no_connection_is_left(redis_url: str) -> None:
    before = clients(redis_url)
    async with cache_at(redis_url) as cache:
        await asyncio.gather(*(cache.get_many(["key"]) for _ in range(5)))
        assert clients(redis_url) > before
    await asyncio.sleep(0.05)
    assert clients(redis_url) == before


async def test_a_connection_that_is_in_use_at_dispose_is_closed_after_its_command(redis_url: str) -> None:
    before = clients(redis_url)
    async with cache_at(redis_url) as cache:
        # It waits at the server longer than the loop needs to begin it.
        script = "local i = 0 repeat i = i + 1 until i == 3000000 return {ARGV[1]}"
        call = asyncio.create_task(cache.run_script(script, [], ["late"]))
        while clients(redis_url) == before:
            await asyncio.sleep(0)
    assert await call == [b"late"]
    assert cache._idle == []
    await asyncio.sleep(0.05)
    assert clients(redis_url) == before


async def test_a_connection_whose_state_is_unknown_is_not_used(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cache_at(redis_url) as cache:
        await cache.set("key", b"1", seconds=5)
        (idle,) = cache._idle
        monkeypatch.setattr(idle, "can_read", AsyncMock(side_effect=OSError("closed")))
        assert await cache.get_many(["key"]) == [b"1"]
        assert idle not in cache._idle


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-5\r\n", b"\x00" * 100, b""])
async def test_another_program_on_the_port_is_unavailable(reply: bytes) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with cache_at(f"redis://127.0.0.1:{port}/0") as cache:
            assert await unavailable(cache.get_many(["key"])) < 1 + SLACK_SECONDS
            assert await unavailable(cache.ping(0.3)) < 1 + SLACK_SECONDS


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_connection_that_closed_unnoticed_is_replaced(
    redis_url: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Uvloop, the container's loop, has another error for a write on a closed connection than asyncio."""

    async def run() -> None:
        async with cache_at(redis_url) as cache:
            await cache.set("k", b"v", seconds=10)
            (kept,) = cache._idle
            kept.can_read = AsyncMock(return_value=False)  # type: ignore[method-assign]
            assert kept._writer is not None
            kept._writer.transport.abort()
            await asyncio.sleep(0.01)
            assert await cache.get_many(["k"]) == [b"v"]

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())
