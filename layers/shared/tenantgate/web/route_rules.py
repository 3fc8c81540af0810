"""The route rules where no API Gateway asks an authorizer: in the container, before any route runs.

The engine is the authorizer's. What differs is who answers: here the denial is ours, with its code and its challenge.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantgate.access.principal import Principal
from tenantgate.access.rules import ApiRules, Decision
from tenantgate.web.dependencies import PRINCIPAL_KEY, get_verified_user


class RouteRules:
    """Lets pass what the rules allow. What no route takes passes, too: the response is 404 or 405 for every caller."""

    def __init__(self, app: ASGIApp, *, rules: ApiRules, route_of: Callable[[Scope], str | None]) -> None:
        """`route_of`: the pattern of the route that the router will run, None if it will run none."""
        self._app = app
        self._rules = rules
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (route := self._route_of(scope)) is not None:
            # `{path:path}` is how the framework writes `{path+}`.
            pattern = route.replace(":path}", "+}")
            if not self._decide(scope, None, pattern).allowed:
                principal = await get_verified_user(Request(scope))
                decision = self._decide(scope, principal, pattern)
                if not decision.allowed:
                    raise decision.failure()
                scope[PRINCIPAL_KEY] = principal
        await self._app(scope, receive, send)

    def _decide(self, scope: Scope, principal: Principal | None, route: str) -> Decision:
        return self._rules.decide(scope["method"], scope["path"], principal, now=time.time(), route=route)
