"""The limits that a request counted in, as other modules see them. `web/rate_limiting.py` puts them into the scope."""

from __future__ import annotations

from typing import Protocol

from starlette.types import Scope

_COUNTED_KEY = "tenantgate.rate_limits"


class Caller(Protocol):
    """A verified caller, such as a principal or the user of a session."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def issuer(self) -> str: ...

    @property
    def user_id(self) -> str: ...


class Counted(Protocol):
    """One request's limits."""

    async def count_caller(self, caller: Caller) -> None:
        """Count the request for a verified caller and its tenant, once. Raises `RateLimited`."""
        ...

    def headers(self, status: int) -> list[tuple[bytes, bytes]]:
        """Return the headers of a response with this status."""
        ...


def mark_counted(scope: Scope, counted: Counted) -> None:
    """Attach the limits to a request, which no client can do."""
    scope[_COUNTED_KEY] = counted


async def count_caller(scope: Scope, caller: Caller) -> None:
    """Count the request for a verified caller, where limits are on. Raises `RateLimited`."""
    counted: Counted | None = scope.get(_COUNTED_KEY)
    if counted is not None:
        await counted.count_caller(caller)


def rate_limit_headers(scope: Scope, status: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response: none where no limit counted."""
    counted: Counted | None = scope.get(_COUNTED_KEY)
    return [] if counted is None else counted.headers(status)
