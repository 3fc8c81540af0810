"""Rate limits of every route: per client address before the route runs, per identity and tenant once it is verified.

A credential that isn't verified counts only for the address that sent it: a forged token must not spend the budget of
the tenant that it names. IPv6 counts per /64, the smallest network that a client gets (RFC 6177 §2).

The headers are those of draft-ietf-httpapi-ratelimit-headers-11 (§3 `RateLimit-Policy`, §4 `RateLimit`), as structured
fields (RFC 9651), and `Retry-After` (RFC 9110 §10.2.3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from ipaddress import ip_network

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantgate.rate_limits.counters import Counter, Usage, counter
from tenantgate.rate_limits.errors import RateLimited
from tenantgate.rate_limits.limiter import RateLimiter
from tenantgate.settings.rate_limits import RateLimits
from tenantgate.web.client_address import Address, client_address, hides_clients
from tenantgate.web.counted import Caller, mark_counted

logger = logging.getLogger(__name__)

_IPV6_BITS = 64


class RequestLimits:
    """The limits of one request, a `Counted`."""

    def __init__(self, limits: RateLimits, limiter: RateLimiter) -> None:
        self._limits = limits
        self._limiter = limiter
        self._usages: list[Usage] = []
        self._caller_counted = False

    async def count_address(self, address: Address, route: str | None) -> None:
        """Count the request for the client's address: on its route if that has a limit, otherwise on all routes."""
        client = client_key(address)
        if route is not None and route in self._limits.routes:
            limit = self._limits.routes[route]
            await self._count([] if limit is None else [counter("route", limit, client, client, route)])
        elif (limit := self._limits.address) is not None:
            await self._count([counter("address", limit, client, client)])

    async def count_caller(self, caller: Caller) -> None:
        """Count the request for a verified caller and its tenant, once. Raises `RateLimited`."""
        if self._caller_counted:
            return
        self._caller_counted = True
        counters, tenant = [], caller.tenant_id
        if (limit := self._limits.identity) is not None:
            counters.append(counter("identity", limit, tenant, caller.issuer, caller.user_id))
        if (limit := self._limits.tenant) is not None:
            counters.append(counter("tenant", limit, tenant, tenant))
        await self._count(counters)

    async def _count(self, counters: Sequence[Counter]) -> None:
        found = await self._limiter.count(counters)
        self._usages += found
        if exceeded := [each for each in found if each.exceeded]:
            raise RateLimited(
                [each.counter.name for each in exceeded], retry_after=max(each.reset for each in exceeded)
            )

    def headers(self, status: int) -> list[tuple[bytes, bytes]]:
        """Return the headers of a response with this status."""
        if not self._usages:
            return []
        policies = [(each.counter.name, each.counter.limit) for each in self._usages]
        policy = ", ".join(f'"{name}";q={limit.amount};w={limit.seconds}' for name, limit in policies)
        found = [(b"ratelimit-policy", policy.encode())]
        if not HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            # A redirect without it: a client might wait before it follows (§6 of the draft).
            state = ", ".join(f'"{each.counter.name}";r={each.remaining};t={each.reset}' for each in self._usages)
            found.append((b"ratelimit", state.encode()))
        return found


class CountRequests:
    """Counts every request of `app`, and passes it on unless a limit is used up."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: RateLimits,
        limiter: RateLimiter,
        trusted_proxies: Sequence[str],
        route_of: Callable[[Scope], str | None],
    ) -> None:
        """Count the requests of `app`.

        `route_of` returns the pattern of the route that will run, or None if none will.
        """
        self._app = app
        self._limits = limits
        self._limiter = limiter
        self._trusted_proxies = trusted_proxies
        self._route_of = route_of
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            counted = RequestLimits(self._limits, self._limiter)
            mark_counted(scope, counted)
            request = Request(scope)
            if hides_clients(request, trusted_proxies=self._trusted_proxies):
                self._warn()
            elif (address := client_address(request, trusted_proxies=self._trusted_proxies)) is not None:
                pattern = self._route_of(scope)
                await counted.count_address(address, None if pattern is None else self._route(scope, pattern))
        await self._app(scope, receive, send)

    def _route(self, scope: Scope, pattern: str) -> str:
        # The framework writes `{path+}` as `{path:path}`.
        pattern = pattern.replace(":path}", "+}")
        every = f"ANY {pattern}"
        return every if every in self._limits.routes else f"{scope['method']} {pattern}"

    def _warn(self) -> None:
        # Once in each process: this is true of every request.
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "rate limits per address are off for requests through a proxy in a private network: all clients would "
                "count as one. Set TRUSTED_PROXIES to the proxy's network, so that its X-Forwarded-For counts"
            )


def client_key(address: Address) -> str:
    """Return the client of this address: an IPv4 address, or the /64 of an IPv6 address."""
    return str(address) if address.version == 4 else str(ip_network((int(address), _IPV6_BITS), strict=False))
