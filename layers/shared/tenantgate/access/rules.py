"""Route rules: who may call which route of which API. Denied is what no rule allows.

A rule names a method and a path pattern; the most specific pattern that takes a request decides, as API Gateway chooses
a route: patterns without `{name+}` first, then segment by segment a literal before `{name}`, then a method before ANY.
The rules file is read by `rules_file.py`; `policies.py` writes the same rules as an IAM policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tenantgate.access.principal import Principal
from tenantgate.access.route_match import RouteTrie, Segments, is_plain, readings
from tenantgate.errors import AuthenticationRequired, InsufficientScope, StepUpRequired, TenantgateError
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Any

# What API Gateway routes, and what ANY stands for. `$connect` is a WebSocket API's route, which has no path.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ANY = "ANY"
CONNECT = "$connect"
# The id of the API that the container serves, and the one that stands for every API without a block of its own.
CONTAINER_API = "container"
OTHER_APIS = "*"
# Clock skew forgiven when `auth_time` lies in the future.
_LEEWAY_SECONDS = 60


# What a rule asks, to be compared with what another asks.
type Requirement = tuple[object, ...]


class RouteRule(Record):
    """One rule. `pattern` is its path as written: `/orders/{id}`; empty for `$connect`.

    It asks for all of `scopes`, and one of `any_scope`, of `roles` and of `acr`, where these are given; `max_auth_age`
    is in seconds. `public` asks for nothing.
    """

    method: str
    pattern: str
    scopes: frozenset[str] = frozenset()
    any_scope: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    acr: frozenset[str] | None = None
    max_auth_age: int | None = None
    public: bool = False

    @property
    def route(self) -> str:
        return f"{self.method} {self.pattern}".rstrip()

    @property
    def requirement(self) -> Requirement:
        return self[2:]


class Decision(Record):
    """Whether a request may pass, and what a receipt says of it. `reason` is a stable code."""

    allowed: bool
    reason: str
    rule: RouteRule | None = None
    expected: object = None
    actual: object = None
    error: type[TenantgateError] | None = None

    def failure(self) -> TenantgateError:
        """The denial as the error that a caller of ours is told."""
        private: dict[str, Any] = {
            "check": self.reason,
            "rule": self.rule.route if self.rule else None,
            "expected": self.expected,
            "actual": self.actual,
        }
        if self.error is StepUpRequired and self.rule is not None:
            acr = " ".join(sorted(self.rule.acr or ()))
            return StepUpRequired(self.reason, acr_values=acr, max_age=self.rule.max_auth_age, **private)
        if self.error is InsufficientScope and self.rule is not None:
            scopes = self.rule.scopes or self.rule.any_scope
            asked = self.reason in ("missing_scope", "missing_any_scope")
            return InsufficientScope(self.reason, scope=" ".join(sorted(scopes)) if asked else "", **private)
        return (self.error or InsufficientScope)(self.reason, **private)


def unmet(rule: RouteRule, principal: Principal, now: float) -> Decision | None:
    """The first thing that `principal` lacks, None when it lacks nothing. `now` is in epoch seconds."""
    if rule.public:
        return None
    return _missing_permission(rule, principal) or _weak_authentication(rule, principal.claims, now)


def _missing_permission(asked: RouteRule, principal: Principal) -> Decision | None:
    held = principal.scopes
    if not asked.scopes <= held:
        return Decision(False, "missing_scope", asked, sorted(asked.scopes), sorted(held), InsufficientScope)
    if asked.any_scope and not asked.any_scope & held:
        return Decision(False, "missing_any_scope", asked, sorted(asked.any_scope), sorted(held), InsufficientScope)
    if asked.roles and not asked.roles & principal.roles:
        return Decision(False, "missing_role", asked, sorted(asked.roles), sorted(principal.roles), InsufficientScope)
    return None


def _weak_authentication(asked: RouteRule, claims: Mapping[str, object], now: float) -> Decision | None:
    if asked.acr is not None:
        acr = claims.get("acr")
        if not isinstance(acr, str) or acr not in asked.acr:
            told = acr if isinstance(acr, str) else None
            return Decision(False, "acr_too_weak", asked, sorted(asked.acr), told, StepUpRequired)
    if asked.max_auth_age is not None:
        since = claims.get("auth_time")
        if not isinstance(since, int | float) or isinstance(since, bool):
            return Decision(False, "authentication_time_unknown", asked, asked.max_auth_age, None, StepUpRequired)
        if not -_LEEWAY_SECONDS <= now - since <= asked.max_auth_age:
            age = int(max(-1e9, min(1e12, now - since)))
            return Decision(False, "authentication_too_old", asked, asked.max_auth_age, age, StepUpRequired)
    return None


class ApiRules:
    """The rules of one API, as a trie. Immutable."""

    def __init__(self, name: str, rules: Iterable[RouteRule], *, every_route_listed: bool = False) -> None:
        """`every_route_listed`: the file's owner promises that the API has no route behind the authorizer without a
        rule, which lets `policies.py` use wildcards where it otherwise must not."""
        self.name = name
        self.rules = tuple(rules)
        self.every_route_listed = every_route_listed
        # What `policies.py` derives from the rules once.
        self.memo: dict[str, object] = {}
        self.trie = RouteTrie()
        for rule in self.rules:
            self.trie.add(rule.method, segments(rule.pattern), rule)

    def match(self, method: str, path: str) -> RouteRule | None:
        """The rule that takes this very spelling of the path; None if there is none or the path isn't plain."""
        if method == CONNECT:
            return self.trie.find(CONNECT, "")
        if method not in METHODS or not is_plain(path):
            return None
        return self.trie.find(method, path)

    def decide(self, method: str, path: str, principal: Principal | None, *, now: float) -> Decision:
        """Decide on a request; `path` begins with `/`, as it came or decoded.

        A path with `%` must be allowed both as it came and decoded, since what stands behind may read it either way.
        """
        decision = None
        for reading in readings(path):
            decision = self._decide(method, reading, principal, now)
            if not decision.allowed:
                return decision
        return decision or _denied("ambiguous_path", principal, actual=path[:200])

    def _decide(self, method: str, path: str, principal: Principal | None, now: float) -> Decision:
        rule = self.match(method, path)
        if rule is None:
            return _denied("no_rule", principal, expected="a rule for the route", actual=f"{method} {path}"[:200])
        if rule.public:
            return Decision(True, "public", rule)
        if principal is None:
            return Decision(False, "authentication_required", rule, error=AuthenticationRequired)
        return unmet(rule, principal, now) or Decision(True, "allowed", rule)


def _denied(reason: str, principal: Principal | None, *, expected: object = None, actual: object = None) -> Decision:
    if principal is None:
        return Decision(False, "authentication_required", None, expected, actual, AuthenticationRequired)
    return Decision(False, reason, None, expected, actual, InsufficientScope)


class RuleSet:
    """All rules of a file, by API."""

    def __init__(self, apis: Mapping[str, ApiRules]) -> None:
        """`apis`: API Gateway's API id, `container` or `*` → its rules."""
        self.apis = dict(apis)

    def for_api(self, api_id: str) -> ApiRules:
        """The rules of this API: its own block, else that of `*`, else none at all, which denies everything."""
        return self.apis.get(api_id) or self.apis.get(OTHER_APIS) or _NO_RULES

    def decide(self, api_id: str, method: str, path: str, principal: Principal | None, *, now: float) -> Decision:
        return self.for_api(api_id).decide(method, path, principal, now=now)

    def is_public(self, api_id: str, method: str, path: str) -> bool:
        """Whether the route needs no credential."""
        return self.for_api(api_id).decide(method, path, None, now=0).allowed

    def checked(self) -> list[object]:
        """These rules as JSON values, for `from_checked`."""
        ids: dict[int, list[str]] = {}
        for api_id, rules in self.apis.items():
            ids.setdefault(id(rules), []).append(api_id)
        return [
            [ids[id(rules)], rules.name, rules.every_route_listed, [_row(rule) for rule in rules.rules]]
            for rules in {id(rules): rules for rules in self.apis.values()}.values()
        ]

    @classmethod
    def from_checked(cls, checked: Any) -> RuleSet:
        """What `checked` made of rules. They were checked before, and aren't again: not for what a person wrote."""
        apis: dict[str, ApiRules] = {}
        for ids, name, every_route_listed, rows in checked:
            rules = ApiRules(name, map(_rule, rows), every_route_listed=every_route_listed)
            apis |= dict.fromkeys(ids, rules)
        return cls(apis)

    def over(self, shipped: RuleSet) -> RuleSet:
        """These rules, with those of `shipped` for the ids that have none here."""
        return RuleSet({**shipped.apis, **self.apis})


def _row(rule: RouteRule) -> list[object]:
    return [sorted(item) if isinstance(item, frozenset) else item for item in rule]


def _rule(row: list[Any]) -> RouteRule:
    method, pattern, scopes, any_scope, roles, acr, *others = row
    asked = frozenset(scopes), frozenset(any_scope), frozenset(roles)
    return RouteRule(method, pattern, *asked, None if acr is None else frozenset(acr), *others)


def segments(pattern: str) -> Segments:
    """`/orders/{id}` → ("orders", "{}"); the last one may be `{+}`. Empty for the `$connect` route."""
    return tuple(
        ("{+}" if part.endswith("+}") else "{}") if part.startswith("{") else part for part in pattern.split("/")[1:]
    )


_NO_RULES = ApiRules("none", ())
