"""What a route rule and a decision by it are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from tenantgate.errors.base import TenantgateError

# What API Gateway routes, and what ANY stands for. `$connect` is a WebSocket API's route, which has no path.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ANY = "ANY"
CONNECT = "$connect"
# The id of the API that the container serves, and the one that stands for every API without a block of its own.
CONTAINER_API = "container"
OTHER_APIS = "*"

# What a rule asks, to be compared with what another asks.
type Requirement = tuple[object, ...]


class RouteRule(Record):
    """One rule. `pattern` is its path as written: `/orders/{id}`; empty for `$connect`.

    It asks for all of `scopes`, and one of `any_scope`, of `roles`, of `acr` and of `issuers`, where these are given;
    `max_auth_age` is in seconds. `public` asks for nothing.
    """

    __slots__ = ()

    method: str
    pattern: str
    scopes: frozenset[str] = frozenset()
    any_scope: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    acr: frozenset[str] | None = None
    max_auth_age: int | None = None
    public: bool = False
    issuers: frozenset[str] = frozenset()

    @property
    def route(self) -> str:
        return f"{self.method} {self.pattern}".rstrip()

    @property
    def requirement(self) -> Requirement:
        return self[2:]


class Decision(Record):
    """Whether a request may pass, and what a receipt says of it. `reason` is a stable code."""

    __slots__ = ()

    allowed: bool
    reason: str
    rule: RouteRule | None = None
    expected: object = None
    actual: object = None
    error: type[TenantgateError] | None = None
