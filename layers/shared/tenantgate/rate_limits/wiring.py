"""The limiter, built from settings."""

from __future__ import annotations

from tenantgate.cache.interface import Cache
from tenantgate.cache.wiring import cache
from tenantgate.rate_limits.limiter import RateLimiter
from tenantgate.settings.model import Settings


def rate_limiter(settings: Settings) -> RateLimiter:
    """Return a limiter that counts in the process's cache if `settings` have one, otherwise in this process."""
    return RateLimiter(cache if settings.redis_url is not None else _none)


def _none() -> Cache | None:
    return None
