"""The authorizer's reader with a real Valkey: login, number, TLS, and the web functions' own client next to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_entry import session_keys
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.names import NAME_BYTES
from tenantgate.revoked.reader import RevocationReader
from tenantgate.valkey_reader.reader import LONGEST_VALUE, ValkeyReader
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.tls_front import tls_front
from tests.fixtures.databases.valkey import command
from tests.fixtures.revoked.snapshots import published, snapshot
from tests.fixtures.servers.certificates import Authority
from tests.fixtures.tokens.issuer import NOW


def _reader(url: str, *, protection: str = "verify-full") -> ValkeyReader:
    return ValkeyReader(parse_cache_url(url, protection=protection))


def test_values_are_read_and_set(redis_url: str) -> None:
    reader = _reader(redis_url)
    value = b"\x00\r\n$5\r\n" + b"x" * (LONGEST_VALUE - 7)
    keys = session_keys("tenant", b"\x01" * 32)
    assert reader.get_many(keys.entry, keys.used) == [None, None]
    reader.set(keys.entry, value, seconds=60)
    assert reader.get_many(keys.entry, keys.used) == [value, None]
    assert 0 < command(redis_url, "TTL", keys.entry) <= 60
    command(redis_url, "SET", keys.used, value + b"x")
    with pytest.raises(CacheUnavailable, match="not valid"):
        reader.get_many(keys.entry, keys.used)
    reader.close()


def test_both_clients_agree(redis_url: str) -> None:
    async def run() -> list[bytes | None]:
        cache = ValkeyCache(parse_cache_url(redis_url, protection="verify-full"))
        await cache.set("from the web", b"1", seconds=60)
        reader.set("from the authorizer", b"2", seconds=60)
        found = await cache.get_many(["from the authorizer", "from the web"])
        await cache.dispose()
        return found

    reader = _reader(redis_url)
    assert asyncio.run(run()) == [b"2", b"1"]
    assert reader.get_many("from the authorizer", "from the web") == [b"2", b"1"]
    reader.close()


def test_a_number_is_selected(redis_url: str) -> None:
    one, other = _reader(redis_url), _reader(f"{redis_url.rpartition('/')[0]}/3")
    one.set("key", b"0", seconds=60)
    other.set("key", b"3", seconds=60)
    assert (one.get_many("key"), other.get_many("key")) == ([b"0"], [b"3"])
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("login", "word"), [(":wrong", "WRONGPASS"), ("nobody:wrong", "WRONGPASS"), ("", "NOAUTH")], ids=str
)
def test_a_wrong_login_is_named(redis_url: str, login: str, word: str) -> None:
    place = redis_url.rpartition("@")[2]
    reader = _reader(f"redis://{login}@{place}" if login else f"redis://{place}")
    with pytest.raises(CacheUnavailable) as refused:
        reader.get_many("key")
    assert refused.value.private["failure"] == word


def test_a_named_user_logs_in(own_valkey: Callable[..., EmbeddedValkey]) -> None:
    server = own_valkey(user="reader on >se:cr@et ~tenantgate:session* +mget +set")
    url = f"redis://reader:se%3Acr%40et@{server.start().rpartition('@')[2]}"
    reader = _reader(url)
    assert reader.get_many("tenantgate:session:{x}") == [None]
    with pytest.raises(CacheUnavailable) as refused:
        reader.get_many("other")
    assert refused.value.private["failure"] == "NOPERM"


def test_tls_ends_at_the_verified_server(redis_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def run(host: str) -> object:
        async with tls_front(redis_url, authority.server(host), negotiates=False) as front:
            url = front.url(redis_url, host="localhost", ssl_ca_certs=authority.file)
            reader = _reader(url.replace("redis://", "rediss://"))

            def calls() -> list[bytes | None]:
                reader.set("key", b"1", seconds=60)
                return reader.get_many("key")

            try:
                return await asyncio.to_thread(calls)
            finally:
                reader.close()

    assert asyncio.run(run("localhost")) == [b"1"]
    with pytest.raises(CacheUnavailable) as refused:
        asyncio.run(run("other.test"))
    assert refused.value.private["failure"] == "SSLCertVerificationError"


def test_a_connection_that_the_server_dropped_is_replaced(redis_url: str) -> None:
    reader = _reader(redis_url)
    for _ in range(3):
        assert reader.get_many("key") == [None]
        command(redis_url, "CLIENT", "KILL", "TYPE", "normal")
    reader.close()


def test_a_large_snapshot_is_read_in_time_and_judged(redis_url: str) -> None:
    names = [number.to_bytes(NAME_BYTES) for number in range(100_000)]
    large = snapshot(exact=names[:50_000], until=dict.fromkeys(names[50_000:], NOW))
    for key, value in published(large).items():
        command(redis_url, "SET", key, value)
    values = _reader(redis_url)
    reader = RevocationReader(values, Holder())
    began = time.perf_counter()
    assert reader.current() == large
    # The connection's limit for a short value would be 0.3 s.
    assert time.perf_counter() - began < 1
    values.close()
