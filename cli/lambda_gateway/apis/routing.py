"""Match requests to routes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from lambda_gateway.model import ANY_METHOD, Route

_VARIABLE = re.compile(r"\{([^}+]+)(\+?)\}")
_SLASH = re.compile("/|%2[Ff]")
_LITERAL, _SEGMENT, _GREEDY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Candidate:
    route: Route
    pattern: re.Pattern[str]
    names: tuple[str, ...]


class Router:
    """Routes of an HTTP API, in API Gateway's order: full matches of path and method, then greedy path variables, then
    $default. More specific paths come first, and a method comes before ANY.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        named = sorted((route for route in routes if route.path is not None), key=_specificity)
        self._exact: dict[str, list[Route]] = {}
        self._patterns: list[_Candidate] = []
        for route in named:
            path = route.path or ""
            if "{" in path:
                self._patterns.append(_compile(route))
            else:
                self._exact.setdefault(path, []).append(route)
        self._default = next((route for route in routes if route.path is None), None)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route for a decoded path with the values of its path variables; None if no route matches."""
        for route in self._exact.get(path, ()):
            if route.method in (method, ANY_METHOD):
                return route, {}
        for candidate in self._patterns:
            if candidate.route.method in (method, ANY_METHOD) and (match := candidate.pattern.fullmatch(path)):
                return candidate.route, dict(zip(candidate.names, match.groups(), strict=True))
        if self._default is not None:
            return self._default, {}
        return None


def _specificity(route: Route) -> tuple[bool, list[int], bool]:
    kinds = []
    for segment in (route.path or "").split("/"):
        variable = _VARIABLE.fullmatch(segment)
        kinds.append(_LITERAL if variable is None else _GREEDY if variable.group(2) else _SEGMENT)
    return _GREEDY in kinds, kinds, route.method == ANY_METHOD


def _compile(route: Route) -> _Candidate:
    names: list[str] = []
    pattern = ""
    for segment in (route.path or "").split("/")[1:]:
        variable = _VARIABLE.fullmatch(segment)
        if variable is None:
            pattern += "/" + re.escape(segment)
        else:
            names.append(variable.group(1))
            pattern += "/(.+)" if variable.group(2) else "/([^/]+)"
    return _Candidate(route, re.compile(pattern, re.DOTALL), tuple(names))


class ResourceRouter:
    """Routes of a REST API: the path selects the resource, then the method selects one of the resource's methods.

    `/path`, `/path/` and `/path%2F` are the same resource. Paths are decoded to find it, but path variables keep the
    spelling of the request: `/orders/a%20b` gives `/orders/{id}` the id `a%20b`.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._resources: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._resources.setdefault(_without_slash(route.path or "/"), {})[route.method] = route
        patterns = [next(iter(methods.values())) for path, methods in self._resources.items() if "{" in path]
        self._patterns = [_compile(route) for route in sorted(patterns, key=_specificity)]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route for a path as sent, without its stage, with its path variables; None if none matches."""
        wanted = _without_slash(unquote(path, errors="replace"))
        if wanted in self._resources and "{" not in wanted:
            return self._method(method, wanted, {})
        for candidate in self._patterns:
            if match := candidate.pattern.fullmatch(wanted):
                spans = (match.span(number) for number in range(1, len(candidate.names) + 1))
                values = (_as_sent(path, wanted, start, end) for start, end in spans)
                parameters = dict(zip(candidate.names, values, strict=True))
                return self._method(method, _without_slash(candidate.route.path or "/"), parameters)
        return None

    def _method(self, method: str, path: str, parameters: dict[str, str]) -> tuple[Route, dict[str, str]] | None:
        methods = self._resources[path]
        route = methods.get(method) or methods.get(ANY_METHOD)
        return (route, parameters) if route else None


def _as_sent(sent: str, decoded: str, start: int, end: int) -> str:
    """Return `decoded[start:end]` as `sent` spells it. Both have the same slashes, except for those at the end."""
    slashes = [found.span() for found in _SLASH.finditer(sent)]
    before = decoded.count("/", 0, start)
    after = before + decoded.count("/", start, end)
    return sent[slashes[before - 1][1] : slashes[after][0] if after < len(slashes) else len(sent)]


def _without_slash(path: str) -> str:
    return path.rstrip("/") or "/"
