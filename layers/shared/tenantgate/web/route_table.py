"""The paths and methods of the API, to choose between 404 and 405 with its `Allow`, in the container and on Lambda.

Standard library only: the function behind API Gateway's `$default` route imports this and no web framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tenantgate.errors.base import TenantgateError
from tenantgate.web.errors import MethodNotAllowed, NotFound

# A path pattern of API Gateway ("/idp/{proxy+}", "/a/{id}") or of FastAPI ("/idp/{path:path}") → its methods.
# "ANY" means every method.
type Routes = Mapping[str, Iterable[str]]

_PARAMETER = re.compile(r"\{[^{}]*?(\+|:path)?\}")


class RouteTable:
    """Chooses the error for a request that matches no route. Patterns match exactly, including a trailing slash."""

    def __init__(self, routes: Routes) -> None:
        methods: dict[str, set[str]] = {}
        for pattern, allowed in routes.items():
            methods.setdefault(_regular_expression(pattern), set()).update(allowed)
        self._routes = [(re.compile(pattern), frozenset(allowed)) for pattern, allowed in methods.items()]

    def allowed(self, path: str) -> frozenset[str]:
        """Return the methods of every pattern that matches `path`; empty when none does."""
        return frozenset().union(*(allowed for pattern, allowed in self._routes if pattern.fullmatch(path)))

    def error_for(self, path: str) -> tuple[TenantgateError, str | None]:
        """Return the error for a request that matches no route, and its `Allow` header (RFC 9110 §15.5.6)."""
        allowed = self.allowed(path)
        if not allowed or "ANY" in allowed:
            return NotFound(), None
        return MethodNotAllowed(), ", ".join(sorted(allowed))


def _regular_expression(pattern: str) -> str:
    parts: list[str] = []
    end = 0
    for parameter in _PARAMETER.finditer(pattern):
        parts += [re.escape(pattern[end : parameter.start()]), "(?s:.+)" if parameter.group(1) else "[^/]+"]
        end = parameter.end()
    return "".join([*parts, re.escape(pattern[end:])])
