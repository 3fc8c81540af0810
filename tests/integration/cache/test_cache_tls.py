"""`rediss://` verifies the server before it gets the password, unless `REDIS_TLS` says otherwise."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tenantgate.cache import connection
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tests.fixtures.databases.tls_front import tls_front
from tests.fixtures.servers.certificates import Authority

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def only_named_authorities(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    connection._context.cache_clear()
    yield
    connection._context.cache_clear()


@asynccontextmanager
async def cache_at(url: str, *, protection: str) -> AsyncIterator[ValkeyCache]:
    made = ValkeyCache(parse_cache_url(url.replace("redis://", "rediss://"), protection=protection))
    try:
        yield made
    finally:
        await made.dispose()


@pytest.mark.parametrize("named_by", ["ssl_ca_certs", "system"])
async def test_a_verified_server_is_used(
    redis_url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    query = {"ssl_ca_certs": authority.file} if named_by == "ssl_ca_certs" else {}
    if not query:
        # OpenSSL reads the system's authorities from here.
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with (
        tls_front(redis_url, authority.server("localhost"), negotiates=False) as front,
        cache_at(front.url(redis_url, host="localhost", **query), protection="verify-full") as cache,
    ):
        await cache.set("key", b"1", seconds=60)
        assert await cache.get_many(["key"]) == [b"1"]
        await cache.ping(1)
        assert front.connected == 2  # the commands' and the check's


@pytest.mark.parametrize("wrong", ["name", "authority", "no-authority"])
async def test_a_server_with_a_wrong_certificate_gets_no_password(
    redis_url: str, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    (tmp_path / "other").mkdir()
    trusted = Authority(tmp_path / "other") if wrong == "authority" else authority
    query = {} if wrong == "no-authority" else {"ssl_ca_certs": trusted.file}
    certificate = authority.server("another.example.test" if wrong == "name" else "localhost")
    async with (
        tls_front(redis_url, certificate, negotiates=False) as front,
        cache_at(front.url(redis_url, host="localhost", **query), protection="verify-full") as cache,
    ):
        for call in (cache.get_many(["key"]), cache.ping(1)):
            with pytest.raises(CacheUnavailable) as caught:
                await call
            assert "certificate verify failed" in str(caught.value.private)
        assert front.connected == 0


@pytest.mark.parametrize("protection", ["encrypted", "private-network"])
async def test_a_server_is_not_verified_where_the_setting_allows_it(
    redis_url: str, authority: Authority, protection: str
) -> None:
    async with (
        tls_front(redis_url, authority.server("another.example.test"), negotiates=False) as front,
        cache_at(front.url(redis_url, host="localhost"), protection=protection) as cache,
    ):
        assert await cache.get_many(["key"]) == [None]


async def test_a_plain_server_and_one_that_never_shakes_hands_are_unavailable(redis_url: str) -> None:
    async with cache_at(redis_url, protection="verify-full") as cache:
        with pytest.raises(CacheUnavailable):
            await cache.get_many(["key"])

    held: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with cache_at(f"redis://127.0.0.1:{port}/0", protection="verify-full") as cache:
            with pytest.raises(CacheUnavailable, match="TimeoutError"):
                await cache.get_many(["key"])
        for writer in held:
            writer.close()
