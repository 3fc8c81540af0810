"""Find unsafe integrations of the authorizer, and contradictions to the rules, before a deployment."""

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
    """A problem in a line of the template. `remedy` is the text to write.

    `unsafe`: a caller could get the result of another caller, route or time.
    """

    line: int
    problem: str
    remedy: str
    unsafe: bool = False


# Returns the route of a rule with its place: "GET /a" (rules.toml:12).
type Place = Callable[[str], str]

_COOKIE = "header.cookie"
_NO_CACHE = "don't cache: ReauthorizeEvery: 0 (AuthorizerResultTtlInSeconds: 0)"


def findings(guard: Guard, rules: ApiRules, place: Place) -> Iterator[Finding]:
    """Yield every problem with this authorizer in the template or the rules."""
    authorizer = f"authorizer {guard.name} of {guard.api}"
    line = guard.ttl_line or guard.line
    if guard.ttl is None:
        yield Finding(line, f"{authorizer}: its TTL is unknown here", _NO_CACHE)
    elif guard.ttl > 0:
        for problem, remedy in _unsafe_caching(guard, rules, place):
            yield Finding(line, f"{authorizer} caches results for {guard.ttl} s{problem}", remedy, unsafe=True)
        for problem, remedy in _useless_caching(guard, rules, place):
            yield Finding(line, f"{authorizer} caches results for {guard.ttl} s{problem}", remedy)
    if guard.websocket and not guard.routes:
        yield Finding(
            guard.line,
            f"{authorizer} guards no route: every caller may connect",
            f"set AuthorizationType: CUSTOM and AuthorizerId: !Ref {guard.name} on the route $connect",
        )
    for route in guard.routes or ():
        if uncovered := _uncovered(route, rules):
            yield Finding(
                route.line,
                f"{_name(route)} is behind {authorizer}, and {uncovered}",
                f'add [[api.route]] route = "{_name(route)}" to the rules of "{rules.name}"',
            )
    public = [rule.route for rule in rules.rules if rule.public and _guards(guard, rule)]
    if public and (guard.sources or guard.token):
        yield Finding(
            guard.line,
            f"{authorizer} has an identity source, and API Gateway itself returns 401 without its value: "
            f"{place(public[0])} can't be public",
            "remove the authorizer from the route (Auth: { Authorizer: NONE }), or remove the identity source",
        )


def _unsafe_caching(guard: Guard, rules: ApiRules, place: Place) -> Iterator[tuple[str, str]]:
    sources = set(guard.sources)
    if _COOKIE in sources:
        yield (
            " of session cookies, which also depend on the page's origin and the CSRF token, for other sites too",
            _NO_CACHE,
        )
    elif not guard.token and "header.authorization" not in sources:
        yield (
            " without the credential in the cache key: a caller would get another caller's result",
            "add the header Authorization to the identity source, or " + _NO_CACHE,
        )
    timed = next((rule for rule in rules.rules if rule.max_auth_age is not None), None)
    if timed is not None:
        yield f", past the max_auth_age_seconds of {place(timed.route)}", _NO_CACHE
    if not guard.simple or _by_path(guard):
        return
    if "context.routekey" not in sources:
        yield (
            ", each of which is for one route, and API Gateway would use it for all other routes",
            "add $context.routeKey to the identity source (Context: [routeKey]), or " + _NO_CACHE,
        )
        return
    mixed = next((route for route in guard.routes or () if not _one_requirement(route, rules)), None)
    if mixed is not None:
        yield (
            f" by route, but several rules apply to requests for its route {_name(mixed)}",
            "add $context.path to the identity source (Context: [path, httpMethod]), or " + _NO_CACHE,
        )


def _by_path(guard: Guard) -> bool:
    """Return True if each path and method has its own cached result."""
    return "context.path" in guard.sources and not {"context.httpmethod", "context.routekey"}.isdisjoint(guard.sources)


def _useless_caching(guard: Guard, rules: ApiRules, place: Place) -> Iterator[tuple[str, str]]:
    """Yield the reason why a cached policy would deny routes that the rules allow."""
    if guard.simple or _by_path(guard):
        return
    weak = first_incomplete(rules, decoded=not guard.rest)
    if weak is None:
        return
    key = "" if guard.token else ", or add context.path and context.httpMethod to the identity source"
    if weak.problem == TOO_LARGE:
        yield ", but a caller's policy for the whole API exceeds API Gateway's limit", f"{_NO_CACHE}{key}"
        return
    listed = "" if rules.every_route_listed else ", or set every_route_listed = true in the rules of this API"
    routes = " and ".join(place(route) for route in weak.routes)
    yield f", but no policy allows {routes} without allowing more", f"{_NO_CACHE}{key}{listed}"


def _guards(guard: Guard, rule: RouteRule) -> bool:
    if guard.routes is None:
        return True
    shape = segments(rule.pattern)
    return any(
        route.path is None or (covers(_shape(route), shape) and route.method in (rule.method, ANY))
        for route in guard.routes
    )


def _uncovered(route: GuardedRoute, rules: ApiRules) -> str | None:
    """Return the problem with the rules for a route of the API, if any."""
    if route.path is None:
        return None
    own = _shape(route)
    methods = METHODS if route.method == ANY else (route.method,)
    if rules.every_route_listed:
        for method in methods:
            if not any(covers(shape, own) and (method in by or ANY in by) for shape, by in walk(rules.trie.root)):
                return f"no rule matches all its {method} requests, although the rules set every_route_listed"
        return None
    if any(method in by or ANY in by for method in methods for by in _matching(own, rules)):
        return None
    return "no rule matches it: all its requests would be denied"


def _one_requirement(route: GuardedRoute, rules: ApiRules) -> bool:
    """Return True if all requests that API Gateway sends to the route have the same requirement.

    All spellings of paths count. A more specific route of the template doesn't help: an HTTP API sends `/orders/` to
    `/{proxy+}`, not to `/orders`, and a cached result for the former would allow it.
    """
    if route.path is None:
        return False
    own = _shape(route)
    found: set[Requirement | None] = set()
    # A rule with a slash at the end also applies to the path without it.
    slashed = more_specific(rules.trie, (*own, "")) if own[-1:] not in ((GREEDY,), ("",)) else []
    narrower = [by for _, by in (*more_specific(rules.trie, own), *slashed)]
    for method in METHODS if route.method == ANY else (route.method,):
        found.update(rule.requirement for by in narrower for rule in deciding(by, method))
        rule = rules.trie.find(method, "/" + "/".join(_SAMPLE.get(segment, segment) for segment in own))
        found.add(None if rule is None else rule.requirement)
    return len(found) == 1


def _matching(own: Segments, rules: ApiRules) -> list[dict[str, RouteRule]]:
    return [by for shape, by in walk(rules.trie.root) if covers(shape, own)] + [
        by for _, by in more_specific(rules.trie, own)
    ]


# Values for parameters that no rule has as a literal.
_SAMPLE = {PARAMETER: "\x00", GREEDY: "\x00/\x00/\x00"}


def _shape(route: GuardedRoute) -> Segments:
    return segments(route.path or "")


def _name(route: GuardedRoute) -> str:
    return "$default" if route.path is None else f"{route.method} {route.path}".rstrip()
