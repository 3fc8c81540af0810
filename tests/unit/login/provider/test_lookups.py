"""A provider's host with silent name servers delays no other look-up."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.login.provider.calls import Timeouts
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.lookups import HostLookups
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata

pytestmark = pytest.mark.anyio
DEAD = "op.example.test"


class Resolver:
    """Finds every host except `DEAD`, for which it waits. Counts the look-ups."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.response = threading.Event()
        self.asked: list[object] = []

    def __call__(self, host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        if name == DEAD:
            self.response.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "no response")
        return self.real(host, *args, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.response.set()


class _Secret:
    async def get(self, name: str) -> str:
        return name

    def invalidate(self) -> None: ...


@pytest.mark.timed
async def test_calls_to_a_silent_name_use_none_of_the_loops_threads(resolver: Resolver) -> None:
    client = ProviderClient(ClientRegistration("app", ("openid",)), _Secret(), timeouts=Timeouts(connect=0.5))
    provider = ProviderMetadata.from_document({"issuer": f"https://{DEAD}", "userinfo_endpoint": f"https://{DEAD}/me"})

    async def call() -> None:
        with pytest.raises(ProviderTimeout):
            await client.userinfo(provider, access_token="a", subject="s")

    # More calls than the default executor has threads.
    calls = [asyncio.create_task(call()) for _ in range(40)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    assert time.monotonic() - started < 0.4
    await asyncio.gather(*calls)
    # While the look-up is overdue, the next caller of that name doesn't wait.
    started = time.monotonic()
    await call()
    assert time.monotonic() - started < 0.4
    assert resolver.asked.count(DEAD) == 1


async def test_a_name_is_looked_up_again_after_the_last_look_up_ended(resolver: Resolver) -> None:
    lookups = HostLookups()
    with pytest.raises(ProviderTimeout):
        await lookups.require(DEAD, seconds=0.05)
    resolver.response.set()
    await asyncio.sleep(0.05)
    with pytest.raises(ProviderUnreachable, match="can't be found"):
        await lookups.require(DEAD, seconds=5)
    assert resolver.asked == [DEAD, DEAD]


@pytest.mark.parametrize("host", ["", "a" * 64 + ".example.test", "\ud800"])
async def test_a_malformed_host_is_unreachable(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not host:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: (_ for _ in ()).throw(socket.gaierror()))
    with pytest.raises(ProviderUnreachable):
        await HostLookups().require(host, seconds=5)


async def test_without_a_thread_the_host_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(ProviderUnreachable, match="no thread"):
        await HostLookups().require("127.0.0.1", seconds=5)


async def test_a_host_that_is_found_is_found() -> None:
    await HostLookups().require("127.0.0.1", seconds=5)
