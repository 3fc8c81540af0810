"""Route rules and the decisions that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from tenantgate.errors.base import TenantgateError

# The methods that API Gateway routes; ANY means each of them. `$connect` is a WebSocket API's route and has no path.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ANY = "ANY"
CONNECT = "$connect"
# The id of the container's API, and the id that means every API without its own block.
CONTAINER_API = "container"
OTHER_APIS = "*"

# The fields of a rule that say what it requires, for comparing rules.
type Requirement = tuple[object, ...]


class RouteRule(Record):
    """One rule. `pattern` is the path as written in the file, such as `/orders/{id}`; empty for `$connect`.

    It requires all of `scopes` and one each of `any_scope`, `roles`, `acr` and `issuers`; an empty set or None requires
    nothing. `max_auth_age` is in seconds. A `public` rule requires nothing, not even a credential.
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
    """The result for one request. `reason` is a stable code; `rule` is the rule that decided, if one did.

    For a denial, `expected` and `actual` are for the log, and `error` is the class of the error to raise.
    """

    __slots__ = ()

    allowed: bool
    reason: str
    rule: RouteRule | None = None
    expected: object = None
    actual: object = None
    error: type[TenantgateError] | None = None
