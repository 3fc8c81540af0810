"""A cache as ElastiCache for Valkey offers it: a cluster with one endpoint for all slots, TLS, and IAM logins.

The server has `cluster-enabled` and all slots, so that it refuses commands on keys of several slots, as a serverless
cache does. The passwords of its user are tokens; it can't verify signatures (`tests/unit/test_cache_token.py` compares
these with botocore's).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tenantgate.authorizer.valkey import valkey
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_token import cache_token
from tenantgate.cache_url import CacheUrl, parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.valkey_reader.reader import ValkeyReader
from tests.fixtures.databases.tls_front import tls_front
from tests.fixtures.databases.valkey import command, start_valkey
from tests.fixtures.servers.certificates import Authority
from tests.fixtures.servers.ports import reserved_port

# Every use of Valkey, here on a cluster.
from tests.integration.cache.test_access import (  # noqa: F401
    test_the_users_do_what_their_programs_need,
    users,
)

pytestmark = pytest.mark.anyio

ROLE = ("ASIAEXAMPLE", "example", "session/token==")
# The longest time of a test, in seconds.
LATER = 60


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with reserved_port() as port:
        server = start_valkey(tmp_path_factory.mktemp("cluster"), cluster_enabled="yes", cluster_port=str(port))
        try:
            url = server.start()
            command(url, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            # It waits 2 s for other nodes.
            deadline = time.monotonic() + 20
            while b"cluster_state:ok" not in command(url, "CLUSTER", "INFO"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield url
        finally:
            server.stop()


@pytest.fixture
def redis_url(cluster: str) -> str:
    command(cluster, "FLUSHALL")
    return cluster


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's credentials in the environment, and patience: these tests are not about time limits."""
    for limit in ("CONNECT_SECONDS", "COMMAND_SECONDS"):
        monkeypatch.setattr(f"tenantgate.cache.client.{limit}", 10)
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), ROLE, strict=True):
        monkeypatch.setenv(name, value)


class Gate:
    """The cluster behind TLS. `url`: where clients find it; `variables`: the authorizer's environment."""

    def __init__(self, server: str, url: str) -> None:
        self._server = server
        self._readers: list[ValkeyReader] = []
        self.url: CacheUrl = parse_cache_url(
            url, protection="verify-full", iam_cache="tenantgate-test", region="eu-central-1"
        )
        self.variables = {
            "REDIS_URL": url,
            "REDIS_IAM_CACHE": "tenantgate-test",
            "AWS_REGION": "eu-central-1",
            **dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), ROLE, strict=True)),
        }

    def reader(self) -> ValkeyReader:
        """Return the authorizer's connection."""
        reader = valkey(self.variables).values
        assert isinstance(reader, ValkeyReader)
        self._readers.append(reader)
        return reader

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        command(self._server, "ACL", "DELUSER", "app")

    def accept(self, *, since: float) -> None:
        """Accept only tokens that are signed from `since` on, as for ElastiCache's 15 minutes."""
        tokens = [f">{cache_token(self.url, ROLE, now=since + seconds)}" for seconds in range(LATER)]
        rules = ("resetkeys", "~tenantgate:*", "~{tenantgate:*}:*", "+@all")
        command(self._server, "ACL", "SETUSER", self.url.user, "on", "resetpass", *tokens, *rules)

    def close_connections(self) -> int:
        """Close the user's connections, as ElastiCache does after 12 hours."""
        return int(command(self._server, "CLIENT", "KILL", "USER", self.url.user))


@asynccontextmanager
async def gate_of(server: str, folder: Path) -> AsyncIterator[Gate]:
    authority = Authority(folder)
    async with tls_front(server, authority.server("localhost"), negotiates=False) as front:
        url = front.url(server.replace("redis://:", "rediss://app:"), host="localhost", ssl_ca_certs=authority.file)
        login, place = url.removeprefix("rediss://").split("@", 1)
        gate = Gate(server, f"rediss://{login.partition(':')[0]}@{place}")
        try:
            yield gate
        finally:
            gate.close()


@pytest.fixture
async def gate(redis_url: str, tmp_path: Path) -> AsyncIterator[Gate]:
    async with gate_of(redis_url, tmp_path) as made:
        made.accept(since=int(time.time()))
        yield made


@pytest.fixture
async def cache(gate: Gate) -> AsyncIterator[ValkeyCache]:
    made = ValkeyCache(gate.url)
    yield made
    await made.dispose()


async def test_keys_of_one_slot_go_together_and_others_are_refused(cache: ValkeyCache) -> None:
    await cache.set("tenantgate:session:{a}", b"1", seconds=60)

    assert await cache.get_many(["tenantgate:session:{a}", "tenantgate:session-used:{a}"]) == [b"1", None]
    with pytest.raises(CacheUnavailable):
        await cache.get_many(["tenantgate:session:{a}", "tenantgate:session:{b}"])


async def test_both_clients_log_in_with_tokens(gate: Gate, cache: ValkeyCache) -> None:
    await cache.set("tenantgate:session:{a}", b"1", seconds=60)
    reader = gate.reader()

    found = await asyncio.to_thread(reader.get_many, "tenantgate:session:{a}", "tenantgate:session-used:{a}")

    assert found == [b"1", None]
    await cache.ping(5)


async def test_a_connection_outlives_its_token_and_the_next_one_gets_a_new_one(
    gate: Gate, cache: ValkeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = gate.reader()
    await cache.set("tenantgate:session:{a}", b"1", seconds=60)
    await asyncio.to_thread(reader.get_many, "tenantgate:session:{a}")
    hour = time.time() + 3600
    gate.accept(since=int(hour))

    # The connections are open still, although the server would no longer accept their tokens.
    assert await cache.get_many(["tenantgate:session:{a}"]) == [b"1"]
    assert await asyncio.to_thread(reader.get_many, "tenantgate:session:{a}") == [b"1"]
    begun = time.time()
    monkeypatch.setattr("tenantgate.cache_token.time.gmtime", _moved(hour - begun))
    assert gate.close_connections() >= 2
    assert await cache.get_many(["tenantgate:session:{a}"]) == [b"1"]
    assert await asyncio.to_thread(reader.get_many, "tenantgate:session:{a}") == [b"1"]


async def test_no_request_fails_when_the_server_closes_all_connections(gate: Gate, cache: ValkeyCache) -> None:
    await cache.set("tenantgate:session:{a}", b"1", seconds=60)
    for _ in range(5):
        results = await asyncio.gather(*(cache.get_many(["tenantgate:session:{a}"]) for _ in range(8)))
        assert results == [[b"1"]] * 8
        assert await asyncio.to_thread(gate.close_connections) >= 1


async def test_an_expired_token_is_refused_and_appears_nowhere(
    gate: Gate, cache: ValkeyCache, caplog: pytest.LogCaptureFixture
) -> None:
    gate.accept(since=int(time.time()) - 3600)
    reader = gate.reader()

    with pytest.raises(CacheUnavailable) as by_web:
        await cache.get_many(["tenantgate:session:{a}"])
    with pytest.raises(CacheUnavailable) as by_authorizer:
        await asyncio.to_thread(reader.get_many, "tenantgate:session:{a}")

    assert by_authorizer.value.private["failure"] == "WRONGPASS"
    shown = f"{by_web.value} {by_web.value.private} {by_authorizer.value} {by_authorizer.value.private} {caplog.text}"
    assert "X-Amz" not in shown
    assert "example" not in shown


async def test_without_credentials_nothing_is_sent(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
        del gate.variables[name]
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    cache = ValkeyCache(gate.url)
    reader = gate.reader()

    with pytest.raises(CacheUnavailable, match="TokenUnavailable"):
        await cache.get_many(["tenantgate:session:{a}"])
    with pytest.raises(CacheUnavailable) as by_authorizer:
        reader.get_many("tenantgate:session:{a}")
    await cache.dispose()

    assert by_authorizer.value.private["failure"] == "CredentialsMissing"
    assert gate.close_connections() == 0


def _moved(seconds: float) -> object:
    real = time.gmtime

    def gmtime(moment: float | None = None) -> time.struct_time:
        return real((time.time() if moment is None else moment) + seconds)

    return gmtime
