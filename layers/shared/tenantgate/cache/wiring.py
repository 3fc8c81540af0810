"""The process's cache, built from its settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cache as once
from weakref import WeakKeyDictionary

from tenantgate.cache.interface import Cache
from tenantgate.cache_url import CacheUrl
from tenantgate.settings.environment import get_settings

logger = logging.getLogger(__name__)

# One per event loop (a process has one): connections must not outlive their loop.
_caches: WeakKeyDictionary[asyncio.AbstractEventLoop, Cache] = WeakKeyDictionary()


def cache() -> Cache | None:
    """Return the running event loop's cache (`REDIS_URL`), created at the first call; None without the setting."""
    loop = asyncio.get_running_loop()
    if (known := _caches.get(loop)) is not None:
        return known
    url = get_settings().cache_url
    if url is None:
        return None
    made = _caches[loop] = _kind()(url)
    return made


def prepare_cache() -> None:
    """Import the modules of `cache()` outside a caller's deadline, if `REDIS_URL` is set. Makes no connection."""
    if get_settings().redis_url is not None:
        _kind()
        if get_settings().redis_iam_cache:
            from tenantgate.aws.elasticache import prepare_cache_login  # noqa: PLC0415

            prepare_cache_login()


def cache_is_verified() -> bool:
    """Tell whether `REDIS_TLS` requires verified servers; log a warning at the first call if it doesn't."""
    if get_settings().redis_tls == "verify-full":
        return True
    _warn(get_settings().redis_tls)
    return False


@once
def _warn(tls: str) -> None:
    logger.warning("REDIS_TLS=%s: connections to the cache may reach a server that isn't verified", tls)


async def dispose_cache() -> None:
    """Close the running loop's connections, at the end of the container's lifespan and of tests."""
    if (known := _caches.pop(asyncio.get_running_loop(), None)) is not None:
        await known.dispose()


def _kind() -> Callable[[CacheUrl], Cache]:
    # Imported here: many requests need no cache, and redis takes as long to import as all the rest.
    from tenantgate.cold_start.redis_import import without_commands  # noqa: PLC0415

    without_commands()
    from tenantgate.cache.client import ValkeyCache  # noqa: PLC0415

    return ValkeyCache
