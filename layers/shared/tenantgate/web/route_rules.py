"""The route rules where no API Gateway asks an authorizer: in the container, before any route runs.

The engine is the authorizer's. What differs is who answers: here the denial is ours, with its code and its challenge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantgate.errors.access import InsufficientScope, StepUpRequired
from tenantgate.errors.base import TenantgateError
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import Decision
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
                    raise failure_of(decision)
                scope[PRINCIPAL_KEY] = principal
        await self._app(scope, receive, send)

    def _decide(self, scope: Scope, principal: Principal | None, route: str) -> Decision:
        return self._rules.decide(scope["method"], scope["path"], principal, now=time.time(), route=route)


def failure_of(denial: Decision) -> TenantgateError:
    """The denial as the error that is raised for it, with the challenge that the rule asks for."""
    rule = denial.rule
    private: dict[str, Any] = {
        "check": denial.reason,
        "rule": rule.route if rule else None,
        "expected": denial.expected,
        "actual": denial.actual,
    }
    if denial.error is StepUpRequired and rule is not None:
        acr = " ".join(sorted(rule.acr or ()))
        return StepUpRequired(denial.reason, acr_values=acr, max_age=rule.max_auth_age, **private)
    if denial.error is InsufficientScope and rule is not None:
        asked = denial.reason in ("missing_scope", "missing_any_scope")
        scopes = rule.scopes or rule.any_scope if asked else ()
        return InsufficientScope(denial.reason, scope=" ".join(sorted(scopes)), **private)
    return (denial.error or InsufficientScope)(denial.reason, **private)
