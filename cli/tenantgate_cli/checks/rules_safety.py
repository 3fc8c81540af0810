"""What makes an integration of the authorizer unsafe, or contradict the rules: found before it is deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tenantgate.authorizer.iam_policy import first_incomplete
from tenantgate.authorizer.policy_compiler import TOO_LARGE, deciding
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.matching import GREEDY, PARAMETER, Segments, covers, segments, walk
from tenantgate.route_rules.model import ANY, METHODS, Requirement, RouteRule
from tenantgate.route_rules.overlap import more_specific
from tenantgate_cli.checks.rules_template import Guard, GuardedRoute


class Finding(NamedTuple):
    """Something to mend, in the template's line. `mend` is what to write."""

    line: int
    problem: str
    mend: str


# Where a rule stands: "rules.toml:12".
type WhereIs = Callable[[str], str]

_NO_CACHE = "don't cache: ReauthorizeEvery: 0 (AuthorizerResultTtlInSeconds: 0)"


def findings(guard: Guard, rules: ApiRules, where: WhereIs) -> Iterator[Finding]:
    """Everything that must be mended in this authorizer's template or rules."""
    who = f"authorizer {guard.name} of {guard.api}"
    line = guard.ttl_line or guard.line
    if guard.ttl is None:
        yield Finding(line, f"{who}: how long its answers are cached can't be told from here", _NO_CACHE)
    elif guard.ttl > 0:
        for problem, mend in _caching(guard, rules, where):
            yield Finding(line, f"{who} caches answers for {guard.ttl} s{problem}", mend)
    for route in guard.routes or ():
        if uncovered := _uncovered(route, rules):
            yield Finding(
                route.line,
                f"{_told(route)} stands behind {who}, and {uncovered}",
                f'add [[api.route]] route = "{_told(route)}" to the rules of "{rules.name}"',
            )
    public = [rule.route for rule in rules.rules if rule.public and _guards(guard, rule)]
    if public and (guard.sources or guard.token):
        yield Finding(
            guard.line,
            f"{who} has an identity source, without which API Gateway itself answers 401: "
            f"{where(public[0])} can't be public",
            "take the route from behind the authorizer (Auth: { Authorizer: NONE }), or take away the identity source",
        )


def _caching(guard: Guard, rules: ApiRules, where: WhereIs) -> Iterator[tuple[str, str]]:
    sources = set(guard.sources)
    if not guard.token and "header.authorization" not in sources:
        yield (
            " without the credential in the cache's key: one caller's answer would be another's",
            "add the header Authorization to the identity source, or " + _NO_CACHE,
        )
    timed = next((rule for rule in rules.rules if rule.max_auth_age is not None), None)
    if timed is not None:
        yield f", past the max_auth_age_seconds of {where(timed.route)}", _NO_CACHE
    by_path = "context.path" in sources and sources & {"context.httpmethod", "context.routekey"}
    if by_path:
        return
    if guard.simple:
        if "context.routekey" not in sources:
            yield (
                ", each a yes or no to one route, and would use them for all other routes",
                "add $context.routeKey to the identity source (Context: [routeKey]), or " + _NO_CACHE,
            )
            return
        mixed = next((route for route in guard.routes or () if not _one_requirement(route, rules)), None)
        if mixed is not None:
            yield (
                f" by route, but requests to its route {_told(mixed)} come under several rules",
                "put $context.path into the identity source, too (Context: [path, httpMethod]), or " + _NO_CACHE,
            )
        return
    weak = first_incomplete(rules, decoded=not guard.rest)
    if weak is None:
        return
    key = "" if guard.token else ", put context.path and context.httpMethod into the identity source"
    if weak.problem == TOO_LARGE:
        yield ", but a caller's policy for the whole API is larger than API Gateway takes", f"{_NO_CACHE}{key}"
        return
    listed = "" if rules.every_route_listed else ", or promise every_route_listed = true in the rules of this API"
    routes = " and ".join(where(route) for route in weak.routes)
    yield f", but no policy can allow {routes} without allowing more", f"{_NO_CACHE}{key}{listed}"


def _guards(guard: Guard, rule: RouteRule) -> bool:
    if guard.routes is None:
        return True
    shape = segments(rule.pattern)
    return any(
        route.path is None or (covers(_shape(route), shape) and route.method in (rule.method, ANY))
        for route in guard.routes
    )


def _uncovered(route: GuardedRoute, rules: ApiRules) -> str | None:
    """What is wrong with the rules for a route of the API, if anything."""
    if route.path is None:
        return None
    own = _shape(route)
    methods = METHODS if route.method == ANY else (route.method,)
    if rules.every_route_listed:
        for method in methods:
            if not any(covers(shape, own) and (method in by or ANY in by) for shape, by in walk(rules.trie.root)):
                return f"no rule takes all its {method} requests, though the rules promise every_route_listed"
        return None
    if any(method in by or ANY in by for method in methods for by in _taking(own, rules)):
        return None
    return "no rule takes it: all its requests would be denied"


def _one_requirement(route: GuardedRoute, rules: ApiRules) -> bool:
    """Whether the same is asked of all requests that API Gateway gives to the route, however their paths are spelled.

    A narrower route of the template is no help: an HTTP API gives `/orders/` to `/{proxy+}`, not to `/orders`,
    and a cached yes of the former would open it.
    """
    if route.path is None:
        return False
    own = _shape(route)
    found: set[Requirement | None] = set()
    # A rule that names a slash at the end counts for the path without it, too.
    slashed = more_specific(rules.trie, (*own, "")) if own[-1:] not in ((GREEDY,), ("",)) else []
    narrower = [by for _, by in (*more_specific(rules.trie, own), *slashed)]
    for method in METHODS if route.method == ANY else (route.method,):
        found.update(rule.requirement for by in narrower for rule in deciding(by, method))
        rule = rules.trie.find(method, "/" + "/".join(_SAMPLE.get(segment, segment) for segment in own))
        found.add(None if rule is None else rule.requirement)
    return len(found) == 1


def _taking(own: Segments, rules: ApiRules) -> list[dict[str, RouteRule]]:
    return [by for shape, by in walk(rules.trie.root) if covers(shape, own)] + [
        by for _, by in more_specific(rules.trie, own)
    ]


# Stands for every value that no rule has as a literal.
_SAMPLE = {PARAMETER: "\x00", GREEDY: "\x00/\x00/\x00"}


def _shape(route: GuardedRoute) -> Segments:
    return segments(route.path or "")


def _told(route: GuardedRoute) -> str:
    return "$default" if route.path is None else f"{route.method} {route.path}"
