"""Route rules: who may call which route of which API. Denied is what no rule allows.

A rule names a method and a path pattern; the most specific pattern that takes a request decides, as API Gateway chooses
a route: patterns without `{name+}` first, then segment by segment a literal before `{name}`, then a method before ANY.
`file.py` reads the rules file; `authorizer/iam_policy.py` writes the same rules as an IAM policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tenantgate.errors.access import AuthenticationRequired, InsufficientScope, StepUpRequired
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.matching import RouteTrie, Segments, covers, precedence, readings, segments
from tenantgate.route_rules.model import ANY, CONNECT, METHODS, OTHER_APIS, Decision, RouteRule

if TYPE_CHECKING:
    from typing import Any

# Routes of events whose rules are remembered: more than an API has.
_MOST_ROUTES = 1024
# Clock skew forgiven when `auth_time` lies in the future.
_LEEWAY_SECONDS = 60


def unmet(rule: RouteRule, principal: Principal, now: float) -> Decision | None:
    """The first thing that `principal` lacks, None when it lacks nothing. `now` is in epoch seconds."""
    if rule.public:
        return None
    return _missing_permission(rule, principal) or _weak_authentication(rule, principal.claims, now)


def _missing_permission(asked: RouteRule, principal: Principal) -> Decision | None:
    held = principal.scopes
    if asked.issuers and principal.issuer not in asked.issuers:
        return Decision(False, "issuer_not_allowed", asked, sorted(asked.issuers), principal.issuer, InsufficientScope)
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
        # An integer that no float can hold would make the comparison fail instead of the check.
        if not isinstance(since, int | float) or isinstance(since, bool) or (isinstance(since, int) and since >> 53):
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
        self._of_routes: dict[tuple[str, str, tuple[str, ...]], list[RouteRule]] = {}
        self._names_slashes = any(_names_a_slash(rule) for rule in self.rules)

    def match(self, method: str, path: str) -> RouteRule | None:
        """The rule that takes this very spelling of the path, None if there is none."""
        if method == CONNECT:
            return self.trie.find(CONNECT, "")
        return self.trie.find(method, path) if method in METHODS else None

    def decide(
        self, method: str, path: str, principal: Principal | None, *, now: float, route: str | None = None
    ) -> Decision:
        """Decide on a request; `path` begins with `/`, as it came or decoded.

        Every way in which a router may read the path must be allowed. `route` is the pattern that a router has chosen
        for the request, with its parameters in braces, where that is known: its rule must allow the request as well.
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
            rules += self._beside(method, reading, rule)
        if not rules:
            return _denied("ambiguous_path", principal, "a path with one reading", path[:200])
        if route is not None:
            rules += self._rules_of_route(method, route, *(rule.pattern for rule in rules))
        decisions = [_by_rule(rule, principal, now) for rule in rules]
        return next((decision for decision in decisions if not decision.allowed), decisions[0])

    def _beside(self, method: str, reading: str, rule: RouteRule | None) -> list[RouteRule]:
        """The rules that must allow a reading in addition to its own."""
        beside = self._slashed(method, f"{reading}/") if self._names_slashes else []
        if method == "HEAD" and (of_get := self._rule_of_get(reading, rule)) is not None:
            beside.append(of_get)
        return beside

    def _rule_of_get(self, path: str, of_head: RouteRule | None) -> RouteRule | None:
        """The rule for GET, where it counts for HEAD as well."""
        return rule if (rule := self.match("GET", path)) is not None and _counts_for_head(rule, of_head) else None

    def _slashed(self, method: str, path: str) -> list[RouteRule]:
        """The rules that name this path, with a slash at its end."""
        own = self.match(method, path)
        of_get = self._rule_of_get(path, own) if method == "HEAD" else None
        return [rule for rule in (own, of_get) if rule is not None and _names_a_slash(rule)]

    def _is_named_with_a_slash(self, method: str, reading: str, found: tuple[str, ...]) -> bool:
        """Whether a rule names this path with a slash at its end, which is how the request spells it."""
        if not self._names_slashes or f"{reading}/" not in found:
            return False
        return (rule := self.match(method, f"{reading}/")) is not None and _names_a_slash(rule)

    def _rules_of_route(self, method: str, route: str, *found: str) -> list[RouteRule]:
        """The rules that take every path of the route, unless the patterns found for the path are all parts of it."""
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
        if of_get is not None and not _counts_for_head(of_get, rule):
            of_get = None
        # What takes HEAD may be held to two rules of one pattern.
        known = () if method == "HEAD" else found
        return [rule for rule in (rule, of_get) if rule is not None and rule.pattern not in known]


def _counts_for_head(of_get: RouteRule, of_head: RouteRule | None) -> bool:
    """Whether a rule for GET must allow HEAD in addition to the rule that takes HEAD.

    Frameworks serve HEAD by what serves GET (RFC 9110 §9.3.2): a rule for ANY must not open what a rule for GET guards.
    A rule for HEAD itself counts, unless that for GET is the more specific.
    """
    if of_head is None or of_head.method == ANY:
        return of_get is not of_head
    return precedence(segments(of_get.pattern)) < precedence(segments(of_head.pattern))


def _names_a_slash(rule: RouteRule) -> bool:
    return rule.pattern[-1:] == "/" and rule.pattern != "/"


def _by_rule(rule: RouteRule, principal: Principal | None, now: float) -> Decision:
    if rule.public:
        return _allowed("public", rule)
    if principal is None:
        return Decision(False, "authentication_required", rule, error=AuthenticationRequired)
    return unmet(rule, principal, now) or _allowed("allowed", rule)


def _allowed(reason: str, rule: RouteRule) -> Decision:
    return Decision(True, reason, rule, None, None, None)


def _denied(reason: str, principal: Principal | None, expected: object = None, actual: object = None) -> Decision:
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

    def decide(
        self, api_id: str, method: str, path: str, principal: Principal | None, *, now: float, route: str | None = None
    ) -> Decision:
        return self.for_api(api_id).decide(method, path, principal, now=now, route=route)

    def is_public(self, api_id: str, method: str, path: str, *, route: str | None = None) -> bool:
        """Whether the request needs no credential."""
        return self.for_api(api_id).decide(method, path, None, now=0, route=route).allowed

    def checked(self) -> list[object]:
        """These rules as JSON values, for `from_checked`."""
        ids: dict[int, list[str]] = {}
        for api_id, rules in self.apis.items():
            ids.setdefault(id(rules), []).append(api_id)
        return [
            [ids[id(rules)], rules.name, rules.every_route_listed, [[*map(_json, rule)] for rule in rules.rules]]
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


def _json(item: object) -> object:
    return sorted(item) if isinstance(item, frozenset) else item


def _rule(row: list[Any]) -> RouteRule:
    method, pattern, scopes, any_scope, roles, acr, max_auth_age, public, issuers = row
    asked = frozenset(scopes), frozenset(any_scope), frozenset(roles)
    acr_values = None if acr is None else frozenset(acr)
    return RouteRule(method, pattern, *asked, acr_values, max_auth_age, public, frozenset(issuers))


_NO_RULES = ApiRules("none", ())
