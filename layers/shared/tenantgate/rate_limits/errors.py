"""The error of a request beyond a limit."""

from __future__ import annotations

from collections.abc import Sequence

from tenantgate.errors.base import TenantgateError, Word, register

SYS_006 = register(
    "SYS_006",
    429,
    "Too many requests",
    cause="The client's address, the user or the tenant has used up its limit for the moment; `detail.limits` names "
    "the limit.",
    remedy="Wait a moment, and try again. `Retry-After` has the seconds to wait, `RateLimit-Policy` the limits, and "
    "`RateLimit` the rest of each. Operators: `RATE_LIMITS` sets them (docs/OPERATIONS.md#rate-limits).",
)


class RateLimited(TenantgateError):
    """A limit is used up. `names`: those of the limits; `retry_after`: seconds until all of them allow a request."""

    error = SYS_006

    def __init__(self, names: Sequence[str], *, retry_after: int) -> None:
        super().__init__(detail={"limits": [Word(name) for name in names]}, limits=[Word(name) for name in names])
        self.retry_after = retry_after
