"""Valkey: version, memory and TLS, and the list of revocations in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from tenantgate.cache.connection import ValkeyConnection, new_connection
from tenantgate.revoked.holder import BOUND_SECONDS
from tenantgate.revoked.snapshot import HEAD_KEY, Head
from tenantgate.urls import is_loopback
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning

SECONDS = 6.0
_ABSENT = "REDIS_URL is not set: no session cookie passes the authorizer, and a revoked token counts until it expires"
# Longer than the pause between two publications, and shorter than a list counts.
_WATCHED_SECONDS = 2.5
_OLDEST = {"valkey": (7, 2), "redis": (7, 0)}
_REPUBLISHER_FIX = "check the republisher's schedule and log: RevocationRepublisherFunction, or the container's"
# Policies that may drop a key that still counts, such as the list of revocations.
_KEEPING = ("noeviction", "volatile-ttl")


def valkey(of: Configuration) -> Finding:
    """Check the server's version, its eviction policy and memory, and the protection of the connection."""

    async def work(connection: ValkeyConnection) -> Finding:
        info = _members(await connection.ask("INFO"))
        is_valkey = "valkey_version" in info
        name = "valkey" if is_valkey else "redis"
        version = info.get("valkey_version") or info.get("redis_version", "")
        found = f"{name.capitalize()} {version}"
        if _numbers(version) < _OLDEST[name]:
            return failed(f"{found} is too old", "use Valkey 7.2 or later, or Redis 7 or later")
        policy, limit = info.get("maxmemory_policy", ""), int(info.get("maxmemory", "0"))
        used = int(info.get("used_memory", "0"))
        found += f", {policy}, {used / 1e6:.1f} MB" + (f" of {limit / 1e6:.0f} MB" if limit else " used")
        if policy not in _KEEPING:
            return warning(f"{found}: it may drop the list of revocations", "set maxmemory-policy to noeviction")
        if limit and used > 0.9 * limit:
            return warning(f"{found}: nearly full", "raise maxmemory; docs/CACHE.md has the sizes")
        return _protected(of, found)

    return on_cache(of, work)


def revocations(of: Configuration) -> Finding:
    """Check the age of the published list, by the server's clock."""

    async def work(connection: ValkeyConnection) -> Finding:
        head, now = await _head(connection), await server_time(connection)
        if head is None:
            return failed("there is no list: no credential behind the authorizer is accepted", _REPUBLISHER_FIX)
        age = now - head.read_at / 1000
        if age > BOUND_SECONDS:
            return failed(f"the list is {age:.1f} s old, and counts for {BOUND_SECONDS:g} s", _REPUBLISHER_FIX)
        return ok(f"epoch {head.epoch}, {max(age, 0.0):.1f} s old")

    return on_cache(of, work)


def republisher(of: Configuration) -> Finding:
    """Watch the list for a moment: the republisher writes it every second."""

    async def work(connection: ValkeyConnection) -> Finding:
        first = await _head(connection)
        loop = asyncio.get_running_loop()
        ends = loop.time() + _WATCHED_SECONDS
        while loop.time() < ends:
            await asyncio.sleep(0.2)
            head = await _head(connection)
            if head is not None and (first is None or head.read_at > first.read_at):
                return ok("it published within the last seconds")
        return failed(f"it published nothing for {_WATCHED_SECONDS:g} s", _REPUBLISHER_FIX)

    return on_cache(of, work)


def on_cache(of: Configuration, work: Callable[[ValkeyConnection], Awaitable[Finding]]) -> Finding:
    """Connect, log in and run `work`. A server that doesn't respond is a failure, a missing one a skipped check."""
    if of.settings.redis_url is None:
        return skipped(_ABSENT)
    return asyncio.run(_on_cache(of, work))


async def _on_cache(of: Configuration, work: Callable[[ValkeyConnection], Awaitable[Finding]]) -> Finding:
    url = of.settings.cache_url
    assert url is not None  # noqa: S101  (the caller checked it)
    connection: ValkeyConnection | None = None
    try:
        async with asyncio.timeout(SECONDS):
            connection = await new_connection(url)
            await connection.open()
            return await work(connection)
    except (OSError, RedisError, ValueError) as error:
        text = str(error).split("\n", 1)[0] or "no response in time"
        fix = "start Valkey, or correct user, password and scheme (rediss:// with TLS) in REDIS_URL"
        return failed(f"{url.host}:{url.port}: {type(error).__name__}: {text}", fix)
    finally:
        if connection is not None:
            await connection.abort()


async def server_time(connection: ValkeyConnection) -> float:
    """Return the server's time in epoch seconds."""
    seconds, microseconds = await connection.ask("TIME")
    return int(seconds) + int(microseconds) / 1e6


async def _head(connection: ValkeyConnection) -> Head | None:
    raw = await connection.ask("GET", HEAD_KEY)
    return Head.from_json(raw if isinstance(raw, bytes) else None)


def _protected(of: Configuration, found: str) -> Finding:
    url = of.settings.cache_url
    if url is None or is_loopback(url.host):
        return ok(found)
    if not url.tls:
        return warning(f"{found}, no TLS", "use rediss:// in REDIS_URL, unless the network is private")
    if not url.verified:
        return warning(f"{found}, TLS to a server that isn't verified", "set REDIS_TLS=verify-full")
    return ok(f"{found}, TLS")


def _members(raw: object) -> dict[str, str]:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip() for name, separator, value in lines if separator}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
