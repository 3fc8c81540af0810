"""The decision on one request, whatever integration asks (`authorizer/events.py`, `authorizer/responses.py`).

What an integration allows to tell apart: a credential that is missing or refused is 401 (the exception with exactly
the text `Unauthorized`), a genuine one that may not pass is 403, and our own failure is 500 (any other exception). The
words of those answers are API Gateway's; the log line under the request id has ours, with the check that failed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tenantgate.authorizer.events import (
    APPSYNC,
    HTTP_1,
    HTTP_2,
    HTTP_2_POLICY,
    UNKNOWN,
    WEBSOCKET,
    AuthorizerCall,
    MalformedEvent,
    read_event,
)
from tenantgate.authorizer.responses import NOBODY, answer, deny_all, statement
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.errors.base import SYS_003, TenantgateError, Word
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.matching import has_control_characters
from tenantgate.route_rules.model import Decision

if TYPE_CHECKING:
    from tenantgate.authorizer.responses import Answer, ContextValue

_log = logging.getLogger(__name__)

# Those of HTTP APIs.
_DECODED_ARNS = frozenset({HTTP_1, HTTP_2_POLICY})
_ANSWERS_FOR_ONE_ROUTE = frozenset({HTTP_2, APPSYNC, WEBSOCKET})


class AuthorizerFailed(Exception):
    """No decision could be made; API Gateway answers 500."""


class _DeniedUncached(Exception):
    """A denial that no policy can express: a 401, which is the only denial that API Gateway never caches."""


class Authorizer:
    """Decides one request after another by the credential that it carries and the route rules."""

    def __init__(self, credentials: Credentials, rules: RuleSet, *, clock: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._rules = rules
        self._clock = clock

    def decide(self, event: object, *, function_request_id: str | None = None) -> Answer:
        """Answer an authorizer's event; raises `Exception("Unauthorized")` for 401 and others for 500.

        `function_request_id` is Lambda's own, for the events that bring none of API Gateway's.
        """
        try:
            call = read_event(event)
        except MalformedEvent as malformed:
            return _refuse_event(malformed, event, function_request_id)
        request = _begin(call, function_request_id)
        try:
            principal = self._principal(call)
        except TenantgateError as refusal:
            return _refuse(refusal, call, request)
        except Exception as failure:  # noqa: BLE001 - whatever it was, nobody passes, and the line is ours
            raise _failed(call, failure) from None
        if principal is not None:
            request.user_id, request.tenant_id = principal.user_id, principal.tenant_id
        try:
            return self._answer(call, principal, request)
        except _DeniedUncached:
            raise Exception("Unauthorized") from None
        except Exception as failure:  # noqa: BLE001 - as above
            raise _failed(call, failure) from None

    def _principal(self, call: AuthorizerCall) -> Principal | None:
        """Who calls; None for a caller without a credential on a public route."""
        authorization = call.authorization()
        if authorization is None and self._rules.is_public(call.api_id, call.method, call.path, route=call.route):
            return None
        return self._credentials.authenticate(authorization)

    def _answer(self, call: AuthorizerCall, principal: Principal | None, request: RequestContext) -> Answer:
        now = self._clock()
        decision = self._rules.decide(call.api_id, call.method, call.path, principal, now=now, route=call.route)
        context: dict[str, ContextValue] = {"request_id": request.request_id}
        if not decision.allowed:
            receipt = _rule_receipt(decision)
            _log.info("denied", extra={"context": _situation(call, 403) | receipt})
            if call.kind in _ANSWERS_FOR_ONE_ROUTE:
                # A policy is reused for other routes, which may be allowed: this one's denial must not go with it.
                context |= {"error_code": str(receipt["error_code"]), "reason": decision.reason}
        elif _log.isEnabledFor(logging.DEBUG):
            trusted = {"issuer": Word(principal.issuer) if principal is not None else None}
            _log.debug("allowed", extra={"context": _situation(call, 200) | trusted})
        if principal is not None:
            context = principal.to_context() | context
        return answer(
            call.kind,
            decision.allowed,
            principal_id=principal.global_id if principal is not None else NOBODY,
            policy=self._policy(call, principal, now, allowed=decision.allowed),
            context=context,
        )

    def _policy(
        self, call: AuthorizerCall, principal: Principal | None, now: float, *, allowed: bool
    ) -> Mapping[str, object] | None:
        if call.arn is None or call.kind in (HTTP_2, APPSYNC):
            return None
        if call.kind == WEBSOCKET:
            # An API of this kind has one guarded route.
            return statement("Allow" if allowed else "Deny", call.arn)
        # Imported here: an API that takes simple responses compiles no policies.
        from tenantgate.authorizer.iam_policy import MethodArn, compile_policy, without_own_path  # noqa: PLC0415

        # The whole policy whether or not it allows this route: API Gateway reuses it for the others.
        arn = MethodArn.parse(call.arn)
        policy = compile_policy(
            self._rules.for_api(call.api_id),
            principal,
            arn=arn,
            now=now,
            decoded=call.kind in _DECODED_ARNS,
            route=call.route,
        )
        if not policy.complete:
            context = {"api_id": Word(call.api_id), "reason": Word(policy.reason)}
            _log.warning("policy is for one route alone, and mustn't be cached", extra={"context": context})
        if allowed:
            return policy.document
        denied = without_own_path(policy.document, arn)
        if denied is None and self._may_allow(call, principal, now):
            raise _DeniedUncached
        return policy.document if denied is None else denied

    def _may_allow(self, call: AuthorizerCall, principal: Principal | None, now: float) -> bool:
        """Whether the policy for the other routes may take a denied path, too.

        It knows nothing of the matched route, and names no control characters but line breaks and tabs.
        """
        if has_control_characters(call.path):
            return True
        return self._rules.decide(call.api_id, call.method, call.path, principal, now=now).allowed


def _begin(call: AuthorizerCall, function_request_id: str | None) -> RequestContext:
    try:
        offered = call.header("x-request-id")
    except TenantgateError:
        offered = None
    gateway_id = call.gateway_request_id
    request_id = choose_request_id(offered, gateway_request_id=gateway_id or function_request_id)
    request = RequestContext(request_id, gateway_id)
    request.carried = call.event
    begin_request(request)
    return request


def _refuse_event(malformed: MalformedEvent, event: object, function_request_id: str | None) -> Answer:
    from tenantgate.authorizer.decision_log import MALFORMED_EVENT, UNKNOWN_EVENT  # noqa: PLC0415 - a rare path

    request_id = choose_request_id(None, gateway_request_id=function_request_id)
    request = RequestContext(request_id)
    request.carried = event
    begin_request(request)
    reason = UNKNOWN_EVENT if malformed.kind == UNKNOWN else MALFORMED_EVENT
    context = {"shape": Word(malformed.kind), "reason": Word(reason), "check": Word("event"), "finding": malformed}
    # An error, not a refusal: the authorizer is attached to something that it doesn't serve, or is called by hand.
    _log.error("denied", extra={"context": {"error_code": SYS_003.code, "status": 403} | context})
    told: dict[str, ContextValue] = {"request_id": request_id, "error_code": SYS_003.code, "reason": reason}
    return answer(malformed.kind, allowed=False, principal_id=NOBODY, policy=None, context=told)


def _refuse(refusal: TenantgateError, call: AuthorizerCall, request: RequestContext) -> Answer:
    from tenantgate.authorizer.decision_log import refusal_receipt  # noqa: PLC0415 - allowed requests need no words

    status = refusal.http_status
    receipt = refusal_receipt(refusal)
    if status not in (401, 403):
        status = 500
        _log.error("no decision", extra={"context": _situation(call, status) | receipt})
        raise AuthorizerFailed(refusal.error.code) from None
    _log.info("denied", extra={"context": _situation(call, status) | receipt})
    if status == 401 and call.kind != APPSYNC:
        # The text is API Gateway's contract: any other one would be a 500.
        raise Exception("Unauthorized") from None
    return answer(
        call.kind,
        allowed=False,
        principal_id=NOBODY,
        policy=deny_all(call.arn) if call.arn is not None else None,
        context={
            "request_id": request.request_id,
            "error_code": refusal.error.code,
            "reason": str(receipt["reason"]),
        },
    )


def _failed(call: AuthorizerCall, failure: Exception) -> AuthorizerFailed:
    context = _situation(call, 500) | {"error_code": SYS_003.code}
    _log.error("no decision", exc_info=failure, extra={"context": context})
    return AuthorizerFailed(SYS_003.code)


def _situation(call: AuthorizerCall, status: int) -> dict[str, object]:
    situation: dict[str, object] = {
        "shape": Word(call.kind),
        "api_id": Word(call.api_id),
        "method": call.method,
        # Where the event names it as the route that was taken, it is the API's own, whatever else a caller sent.
        "path": Word(call.path) if call.path == call.route else call.path,
        # What the client is told: AppSync says 401 to every refusal.
        "status": 401 if call.kind == APPSYNC and status == 403 else status,
    }
    if call.gateway_request_id is not None:
        situation["gateway_request_id"] = Word(call.gateway_request_id)
    return situation


def _rule_receipt(decision: Decision) -> dict[str, object]:
    from tenantgate.errors.access import AUTH_010  # noqa: PLC0415

    error = decision.error.error if decision.error is not None else AUTH_010
    return {
        "error_code": error.code,
        "reason": Word(decision.reason),
        "check": Word("route rule"),
        "rule": Word(decision.rule.route) if decision.rule is not None else None,
        "expected": decision.expected,
        "actual": decision.actual,
    }
