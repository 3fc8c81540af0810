"""Check the route rules in the container, where no API Gateway asks the authorizer.

The rules engine is the authorizer's. A denial, however, is a response of this application, with its code and its
challenge.
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
from tenantgate.web.dependencies import CALLER_KEY, RevocationSource, SessionCredential, verify_caller


class RouteRules:
    """Passes on requests that the rules allow, and those that match no route: they get 404 or 405 from the router."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: ApiRules,
        route_of: Callable[[Scope], str | None],
        session: SessionCredential | None = None,
        revocations: RevocationSource | None = None,
    ) -> None:
        """Guard `app` with `rules`. `route_of` returns the pattern of the route that will run, or None if none will.

        `session` finds the session of a cookie. Without it, only bearer tokens are accepted. `revocations`: for these.
        """
        self._app = app
        self._rules = rules
        self._route_of = route_of
        self._session = session
        self._revocations = revocations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (route := self._route_of(scope)) is not None:
            # The framework writes `{path+}` as `{path:path}`.
            pattern = route.replace(":path}", "+}")
            if not self._decide(scope, None, pattern).allowed:
                caller = await verify_caller(Request(scope), self._session, self._revocations)
                decision = self._decide(scope, caller.principal, pattern)
                if not decision.allowed:
                    raise failure_of(decision)
                scope[CALLER_KEY] = caller
        await self._app(scope, receive, send)

    def _decide(self, scope: Scope, principal: Principal | None, route: str) -> Decision:
        return self._rules.decide(scope["method"], scope["path"], principal, now=time.time(), route=route)


def failure_of(denial: Decision) -> TenantgateError:
    """Return the error for this denial, with the challenge that the rule requires."""
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
        lacks_scope = denial.reason in ("missing_scope", "missing_any_scope")
        scopes = rule.scopes or rule.any_scope if lacks_scope else ()
        return InsufficientScope(denial.reason, scope=" ".join(sorted(scopes)), **private)
    return (denial.error or InsufficientScope)(denial.reason, **private)
