"""Which paths and methods exist: the one answer to 404 or 405, and with which `Allow`, of the container and of Lambda.

Standard library only: the function behind API Gateway's `$default` route imports this and no web framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tenantgate.errors.base import TenantgateError
from tenantgate.web.errors import MethodNotAllowed, NotFound

# A path pattern of API Gateway ("/idp/{proxy+}", "/a/{id}") or of FastAPI ("/idp/{path:path}") → its methods.
# "ANY" among the methods stands for all of them.
type Routes = Mapping[str, Iterable[str]]

_PARAMETER = re.compile(r"\{[^{}]*?(\+|:path)?\}")


class RouteTable:
    """Answers what a request that no route took deserves. Patterns are matched exactly, a trailing slash included."""

    def __init__(self, routes: Routes) -> None:
        methods: dict[str, set[str]] = {}
        for pattern, allowed in routes.items():
            methods.setdefault(_regular_expression(pattern), set()).update(allowed)
        self._routes = [(re.compile(pattern), frozenset(allowed)) for pattern, allowed in methods.items()]

    def allowed(self, path: str) -> frozenset[str]:
        """The methods of every pattern that matches `path`; empty when nothing is there."""
        return frozenset().union(*(allowed for pattern, allowed in self._routes if pattern.fullmatch(path)))

    def refusal(self, path: str) -> tuple[TenantgateError, str | None]:
        """The error for a request that no route took, with the value of its `Allow` header (RFC 9110 §15.5.6)."""
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
