"""The route rules where no API Gateway asks an authorizer: in the container, before any route runs.

The engine is the authorizer's. What differs is who answers: here the denial is ours, with its code and its challenge.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantgate.access.rules import ApiRules
from tenantgate.web.dependencies import PRINCIPAL_KEY, get_verified_user


class RouteRules:
    """Lets pass what the rules allow. What no route takes passes, too: its answer is 404 or 405, whoever asks."""

    def __init__(self, app: ASGIApp, *, rules: ApiRules, is_route: Callable[[Scope], bool]) -> None:
        """`is_route`: whether the router would run a route; asked of itself, since another reading might differ."""
        self._app = app
        self._rules = rules
        self._is_route = is_route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_public(scope) and self._is_route(scope):
            principal = await get_verified_user(Request(scope))
            decision = self._rules.decide(scope["method"], scope["path"], principal, now=time.time())
            if not decision.allowed:
                raise decision.failure()
            scope[PRINCIPAL_KEY] = principal
        await self._app(scope, receive, send)

    def _is_public(self, scope: Scope) -> bool:
        return self._rules.decide(scope["method"], scope["path"], None, now=0).allowed
