"""The commands that a connection begins with, and logins with a user, a password and another database number."""

import asyncio
from urllib.parse import quote

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tests.fixtures.databases.valkey import command

pytestmark = pytest.mark.anyio

# Every character that a URL must encode, and some that it need not.
PASSWORD = "p@ss:w/o?r#d%41 ü'\"+"


def encoded(*parts: str) -> bytes:
    """Return a command in the protocol's form."""
    texts = [part.encode() for part in parts]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%s\r\n" % (len(text), text) for text in texts)


@pytest.mark.parametrize(
    ("login", "path", "sent"),
    [
        ("", "", []),
        ("", "/0", []),
        (":secret@", "/3", [("AUTH", "secret"), ("SELECT", "3")]),
        ("app:secret@", "/0", [("AUTH", "app", "secret")]),
    ],
)
async def test_only_the_login_is_sent_before_the_command(login: str, path: str, sent: list[tuple[str, ...]]) -> None:
    """No greeting, client name or subscription, whose replies and pushed messages could prolong the time limits."""
    received = bytearray()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            received.extend(data)
            writer.write(b"*1\r\n$1\r\nx\r\n" if b"MGET" in data else b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cache = ValkeyCache(parse_cache_url(f"redis://{login}127.0.0.1:{port}{path}", protection="verify-full"))
        assert await cache.get_many(["key"]) == [b"x"]
        await cache.dispose()
        await asyncio.sleep(0)

    assert bytes(received) == b"".join(encoded(*parts) for parts in [*sent, ("MGET", "key")])


async def test_a_user_sees_only_its_keys(redis_url: str) -> None:
    place = redis_url.partition("@")[2]
    command(redis_url, "ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~tenantgate:*", "+@all")
    try:
        url = f"redis://app:{quote(PASSWORD, safe='')}@{place}"
        cache = ValkeyCache(parse_cache_url(url, protection="verify-full"))
        await cache.set("tenantgate:key", b"1", seconds=60)
        assert await cache.get_many(["tenantgate:key"]) == [b"1"]
        with pytest.raises(CacheUnavailable, match="NoPermissionError"):
            await cache.get_many(["other"])
        await cache.dispose()
    finally:
        command(redis_url, "ACL", "DELUSER", "app")


async def test_a_number_selects_its_database(redis_url: str) -> None:
    caches = [
        ValkeyCache(parse_cache_url(f"{redis_url.removesuffix('/0')}/{number}", protection="verify-full"))
        for number in (0, 3, 99)
    ]
    await caches[1].set("key", b"3", seconds=60)
    assert await caches[0].get_many(["key"]) == [None]
    assert await caches[1].get_many(["key"]) == [b"3"]
    with pytest.raises(CacheUnavailable, match="ResponseError"):
        await caches[2].get_many(["key"])
    for cache in caches:
        await cache.dispose()
