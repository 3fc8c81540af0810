"""The decision on a request by the route rules. A request that no rule allows is denied.

A rule names a method and a path pattern. The most specific pattern that matches a request decides, in the order in
which API Gateway chooses a route: patterns without `{name+}` first; then, segment by segment, a literal before
`{name}`; then a method before ANY. `file.py` reads the rules file; `authorizer/iam_policy.py` writes the same rules as
an IAM policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tenantgate.errors.access import AuthenticationRequired, InsufficientScope, StepUpRequired
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.matching import RouteTrie, Segments, covers, names_a_slash, precedence, readings, segments
from tenantgate.route_rules.model import ANY, CONNECT, METHODS, OTHER_APIS, Decision, RouteRule

if TYPE_CHECKING:
    from typing import Any

# The number of matched routes whose rules are cached: more than an API has.
_MOST_ROUTES = 1024
# Clock skew allowed for an `auth_time` in the future.
_LEEWAY_SECONDS = 60


def unmet(rule: RouteRule, principal: Principal, now: float) -> Decision | None:
    """Return the denial for the first requirement that `principal` doesn't meet; None if it meets all.

    `now` is in epoch seconds.
    """
    if rule.public:
        return None
    return _missing_permission(rule, principal) or _weak_authentication(rule, principal.claims, now)


def _missing_permission(rule: RouteRule, principal: Principal) -> Decision | None:
    held = principal.scopes
    if rule.issuers and principal.issuer not in rule.issuers:
        return Decision(False, "issuer_not_allowed", rule, sorted(rule.issuers), principal.issuer, InsufficientScope)
    if not rule.scopes <= held:
        return Decision(False, "missing_scope", rule, sorted(rule.scopes), sorted(held), InsufficientScope)
    if rule.any_scope and not rule.any_scope & held:
        return Decision(False, "missing_any_scope", rule, sorted(rule.any_scope), sorted(held), InsufficientScope)
    if rule.roles and not rule.roles & principal.roles:
        return Decision(False, "missing_role", rule, sorted(rule.roles), sorted(principal.roles), InsufficientScope)
    return None


def _weak_authentication(rule: RouteRule, claims: Mapping[str, object], now: float) -> Decision | None:
    if rule.acr is not None:
        claimed = claims.get("acr")
        acr = claimed if isinstance(claimed, str) else None
        if acr not in rule.acr:
            return Decision(False, "acr_too_weak", rule, sorted(rule.acr), acr, StepUpRequired)
    if rule.max_auth_age is not None:
        since = claims.get("auth_time")
        # The comparison would raise for an integer that no float can hold.
        if not isinstance(since, int | float) or isinstance(since, bool) or (isinstance(since, int) and since >> 53):
            return Decision(False, "authentication_time_unknown", rule, rule.max_auth_age, None, StepUpRequired)
        if not -_LEEWAY_SECONDS <= now - since <= rule.max_auth_age:
            age = int(max(-1e9, min(1e12, now - since)))
            return Decision(False, "authentication_too_old", rule, rule.max_auth_age, age, StepUpRequired)
    return None


class ApiRules:
    """The rules of one API, as a trie. Immutable."""

    def __init__(self, name: str, rules: Iterable[RouteRule], *, every_route_listed: bool = False) -> None:
        """Take the rules in the order of the file.

        `every_route_listed`: the file's owner promises that every route of the API behind the authorizer has a rule.
        IAM policies then may contain wildcards that they otherwise must not.
        """
        self.name = name
        self.rules = tuple(rules)
        self.every_route_listed = every_route_listed
        # For values that other modules derive from the rules once.
        self.memo: dict[str, object] = {}
        self.trie = RouteTrie()
        self._names_slashes = False
        for rule in self.rules:
            shape = segments(rule.pattern)
            self.trie.add(rule.method, shape, rule)
            self._names_slashes |= names_a_slash(shape)
        self._of_routes: dict[tuple[str, str, tuple[str, ...]], list[RouteRule]] = {}

    def match(self, method: str, path: str) -> RouteRule | None:
        """Return the rule that matches exactly this spelling of the path, if any."""
        if method == CONNECT:
            return self.trie.find(CONNECT, "")
        return self.trie.find(method, path) if method in METHODS else None

    def decide(
        self, method: str, path: str, principal: Principal | None, *, now: float, route: str | None = None
    ) -> Decision:
        """Decide on a request. `path` begins with `/`, and may be decoded.

        Every reading of the path must be allowed: routers differ in how they read one. `route` is the pattern that a
        router matched, with its parameters in braces, if known; its rule must allow the request too.
        """
        found = readings(path) if method != CONNECT else ("",)
        if len(found) == 1 and method != "HEAD" and not self._names_slashes:
            # Most requests: one reading and one rule.
            rule = self.match(method, path)
            if rule is None:
                return _denied("no_rule", principal, "a rule for the route", f"{method} {path}"[:200])
            if route is None or route == rule.pattern or not self._rules_of_route(method, route, rule.pattern):
                return _by_rule(rule, principal, now)
        rules: list[RouteRule] = []
        for reading in found:
            rule = self.match(method, reading)
            if rule is not None:
                rules.append(rule)
            elif not self._is_named_with_a_slash(method, reading, found):
                return _denied("no_rule", principal, "a rule for the route", f"{method} {reading}"[:200])
            rules += self._further_rules(method, reading, rule)
        if not rules:
            return _denied("ambiguous_path", principal, "a path with one reading", path[:200])
        if route is not None:
            rules += self._rules_of_route(method, route, *(rule.pattern for rule in rules))
        decisions = [_by_rule(rule, principal, now) for rule in rules]
        return next((decision for decision in decisions if not decision.allowed), decisions[0])

    def _further_rules(self, method: str, reading: str, rule: RouteRule | None) -> list[RouteRule]:
        """Return the rules that must allow a reading in addition to the rule that matches it."""
        further = self._rules_with_slash(method, f"{reading}/") if self._names_slashes else []
        if method == "HEAD" and (of_get := self._rule_of_get(reading, rule)) is not None:
            further.append(of_get)
        return further

    def _rule_of_get(self, path: str, of_head: RouteRule | None) -> RouteRule | None:
        """Return the rule for GET if it also decides on HEAD."""
        return rule if (rule := self.match("GET", path)) is not None and _applies_to_head(rule, of_head) else None

    def _rules_with_slash(self, method: str, path: str) -> list[RouteRule]:
        """Return the rules whose patterns name this path, including the slash at its end."""
        own = self.match(method, path)
        of_get = self._rule_of_get(path, own) if method == "HEAD" else None
        return [rule for rule in (own, of_get) if rule is not None and names_a_slash(segments(rule.pattern))]

    def _is_named_with_a_slash(self, method: str, reading: str, found: tuple[str, ...]) -> bool:
        """Tell whether the request's path has a slash at its end that a rule names, and this reading lacks."""
        if not self._names_slashes or f"{reading}/" not in found:
            return False
        rule = self.match(method, f"{reading}/")
        return rule is not None and names_a_slash(segments(rule.pattern))

    def _rules_of_route(self, method: str, route: str, *found: str) -> list[RouteRule]:
        """Return the rules that match every path of the matched route.

        `found` are the patterns of the rules for the path. If each covers only a part of the route, return no rule.
        """
        key = method, route, found
        rules = self._of_routes.get(key)
        if rules is None:
            if len(self._of_routes) >= _MOST_ROUTES:
                self._of_routes.clear()
            rules = self._of_routes[key] = self._find_rules_of_route(method, segments(route), found)
        return rules

    def _find_rules_of_route(self, method: str, route: Segments, found: tuple[str, ...]) -> list[RouteRule]:
        if method not in METHODS or not route or all(covers(route, segments(pattern)) for pattern in found):
            return []
        rule = self.trie.covering(method, route)
        of_get = self.trie.covering("GET", route) if method == "HEAD" else None
        if of_get is not None and not _applies_to_head(of_get, rule):
            of_get = None
        # For HEAD, two rules with the same pattern may both have to allow the request.
        known = () if method == "HEAD" else found
        return [rule for rule in (rule, of_get) if rule is not None and rule.pattern not in known]


def _applies_to_head(of_get: RouteRule, of_head: RouteRule | None) -> bool:
    """Tell whether a rule for GET must allow HEAD in addition to the rule that matches HEAD.

    Frameworks handle HEAD like GET (RFC 9110 §9.3.2): a rule for ANY must not open what a rule for GET protects. A rule
    for HEAD itself replaces the rule for GET, unless the rule for GET is more specific.
    """
    if of_head is None or of_head.method == ANY:
        return of_get is not of_head
    return precedence(segments(of_get.pattern)) < precedence(segments(of_head.pattern))


def _by_rule(rule: RouteRule, principal: Principal | None, now: float) -> Decision:
    if rule.public:
        return Decision(True, "public", rule, None, None, None)
    if principal is None:
        return Decision(False, "authentication_required", rule, error=AuthenticationRequired)
    return unmet(rule, principal, now) or Decision(True, "allowed", rule, None, None, None)


def _denied(reason: str, principal: Principal | None, expected: object = None, actual: object = None) -> Decision:
    if principal is None:
        return Decision(False, "authentication_required", None, expected, actual, AuthenticationRequired)
    return Decision(False, reason, None, expected, actual, InsufficientScope)


class RuleSet:
    """The rules of a file, by API."""

    def __init__(self, apis: Mapping[str, ApiRules]) -> None:
        """Take the rules by API id: one of API Gateway's, `container` or `*`."""
        self.apis = dict(apis)

    def for_api(self, api_id: str) -> ApiRules:
        """Return the rules of this API, or of `*`, or rules that deny everything."""
        return self.apis.get(api_id) or self.apis.get(OTHER_APIS) or _NO_RULES

    def decide(
        self, api_id: str, method: str, path: str, principal: Principal | None, *, now: float, route: str | None = None
    ) -> Decision:
        """Decide on a request to an API, see `ApiRules.decide`."""
        return self.for_api(api_id).decide(method, path, principal, now=now, route=route)

    def is_public(self, api_id: str, method: str, path: str, *, route: str | None = None) -> bool:
        """Tell whether the request needs no credential."""
        return self.for_api(api_id).decide(method, path, None, now=0, route=route).allowed

    def checked(self) -> list[object]:
        """Return the rules as JSON values for `from_checked`."""
        ids: dict[int, list[str]] = {}
        for api_id, rules in self.apis.items():
            ids.setdefault(id(rules), []).append(api_id)
        return [
            [ids[id(rules)], rules.name, rules.every_route_listed, [[*map(_json, rule)] for rule in rules.rules]]
            for rules in {id(rules): rules for rules in self.apis.values()}.values()
        ]

    @classmethod
    def from_checked(cls, checked: Any) -> RuleSet:
        """Read the JSON values of `checked`. They are not validated again: never pass a file that a person wrote."""
        apis: dict[str, ApiRules] = {}
        for ids, name, every_route_listed, rows in checked:
            rules = ApiRules(name, map(_rule, rows), every_route_listed=every_route_listed)
            apis |= dict.fromkeys(ids, rules)
        return cls(apis)

    def with_fallback(self, shipped: RuleSet) -> RuleSet:
        """Return these rules, and those of `shipped` for the ids that only it has."""
        return RuleSet({**shipped.apis, **self.apis})


def _json(item: object) -> object:
    return sorted(item) if isinstance(item, frozenset) else item


def _rule(row: list[Any]) -> RouteRule:
    method, pattern, scopes, any_scope, roles, acr, max_auth_age, public, issuers = row
    permissions = frozenset(scopes), frozenset(any_scope), frozenset(roles)
    acr_values = None if acr is None else frozenset(acr)
    return RouteRule(method, pattern, *permissions, acr_values, max_auth_age, public, frozenset(issuers))


_NO_RULES = ApiRules("none", ())
