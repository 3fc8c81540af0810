"""The decision on one request: event → credential → route rules → response, for every integration.

API Gateway knows three negative results. A missing or rejected credential is a 401: the exception with exactly the
text `Unauthorized`. A verified caller that may not use the route is a 403. A failure of the authorizer is a 500: any
other exception. API Gateway writes those responses; the log line with the same request id has the error code and the
check that failed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenantgate.authorizer import decision_log
from tenantgate.authorizer.events import (
    APPSYNC,
    HTTP_1,
    HTTP_2,
    HTTP_2_POLICY,
    WEBSOCKET,
    AuthorizerCall,
    MalformedEvent,
    read_event,
)
from tenantgate.authorizer.responses import deny_all, policy_document, response, statement
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.errors.base import SYS_003, TenantgateError, Word
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.matching import has_control_characters

if TYPE_CHECKING:
    from tenantgate.authorizer.method_arn import MethodArn
    from tenantgate.authorizer.responses import AuthorizerResponse, ContextValue, Policy
    from tenantgate.route_rules.model import Decision, RouteRule

_log = logging.getLogger(__name__)

# HTTP APIs decode the paths in their ARNs.
_DECODED_ARNS = frozenset({HTTP_1, HTTP_2_POLICY})
_RESPONSES_FOR_ONE_ROUTE = frozenset({HTTP_2, APPSYNC, WEBSOCKET})


class AuthorizerFailed(Exception):
    """No decision could be made; API Gateway responds 500."""


class _DeniedUncached(Exception):
    """A denial that no policy can express. It becomes a 401, the only denial that API Gateway never caches."""


class Authorizer:
    """Decides on requests by their credentials and the route rules."""

    def __init__(
        self,
        credentials: Credentials,
        rules: RuleSet,
        *,
        cookie_caller: Callable[[AuthorizerCall], Principal | None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`cookie_caller` returns the caller behind the session cookie, if there is one. `clock`: epoch seconds."""
        self._credentials = credentials
        self._rules = rules
        self._cookie_caller = cookie_caller
        self._clock = clock

    def decide(self, event: object, *, function_request_id: str | None = None) -> AuthorizerResponse:
        """Return the response to an authorizer's event.

        Raises `Exception("Unauthorized")` for a 401 and `AuthorizerFailed` for a 500. `function_request_id` is Lambda's
        own, for events that contain none of API Gateway's.
        """
        try:
            call = read_event(event)
        except MalformedEvent as malformed:
            return _deny_malformed(malformed, event, function_request_id)
        request = _begin(call, function_request_id)
        try:
            principal = self._authenticate(call)
            if principal is not None:
                request.user_id, request.tenant_id, request.caller = principal.user_id, principal.tenant_id, principal
            return self._respond(call, principal, request)
        except TenantgateError as error:
            return _reject(call, error, request)
        except _DeniedUncached:
            raise _unauthorized() from None
        except Exception as failure:  # noqa: BLE001 - no request passes, and the log line is the authorizer's own
            raise _failed(call, failure) from None

    def _authenticate(self, call: AuthorizerCall) -> Principal | None:
        """Return the caller; None for one without an `Authorization` header on a public route.

        A cookie has no effect there: browsers send it unasked, so an ended session or an unreachable Valkey would close
        the route to some visitors.
        """
        authorization = call.authorization()
        if authorization is None:
            if self._rules.is_public(call.api_id, call.method, call.path, route=call.route):
                return None
            if self._cookie_caller is not None and (caller := self._cookie_caller(call)) is not None:
                return caller
        return self._credentials.authenticate(authorization)

    def _respond(
        self, call: AuthorizerCall, principal: Principal | None, request: RequestContext
    ) -> AuthorizerResponse:
        now = self._clock()
        decision = self._rules.decide(call.api_id, call.method, call.path, principal, now=now, route=call.route)
        context: dict[str, ContextValue] = {} if principal is None else principal.to_context()
        context["request_id"] = request.request_id
        if not decision.allowed:
            _log.info("denied", extra={"context": decision_log.of_denial(call, decision)})
            _record_denied(call, decision)
            if call.kind in _RESPONSES_FOR_ONE_ROUTE:
                # A policy may be reused for routes that are allowed, so it must not carry the reason for this denial.
                context |= {"error_code": decision_log.error_code_of(decision), "reason": decision.reason}
        elif _log.isEnabledFor(logging.DEBUG):
            _log.debug("allowed", extra={"context": decision_log.of_allowed(call, principal)})
        return response(
            call.kind,
            decision.allowed,
            context=context,
            policy=self._policy(call, principal, now, allowed=decision.allowed),
            principal=principal,
        )

    def _policy(self, call: AuthorizerCall, principal: Principal | None, now: float, *, allowed: bool) -> Policy | None:
        """Return the policy for the response; None where the shape contains none."""
        arn = call.arn
        if arn is None or call.kind == HTTP_2:
            return None
        if call.kind == WEBSOCKET:
            # A WebSocket API has only this one route behind the authorizer.
            return policy_document(statement("Allow" if allowed else "Deny", str(arn)))
        return self._complete_policy(call, arn, principal, now, allowed=allowed)

    def _complete_policy(
        self, call: AuthorizerCall, arn: MethodArn, principal: Principal | None, now: float, *, allowed: bool
    ) -> Policy:
        """Return the policy for all routes, whether or not it allows this one: API Gateway reuses it for the others."""
        # Imported here: an API with simple responses compiles no policies.
        from tenantgate.authorizer.iam_policy import compile_policy, policy_for_one_path, without_own_path  # noqa: PLC0415

        if principal is not None and principal.auth_method == "session":
            # Other routes may require the CSRF token: a policy from a cache, against the docs, must not open them.
            one_path = policy_for_one_path(arn) if allowed else deny_all(arn.stage_arn)
            if one_path is not None:
                return one_path
        policy = compile_policy(
            self._rules.for_api(call.api_id),
            principal,
            arn=arn,
            now=now,
            decoded=call.kind in _DECODED_ARNS,
            route=call.route,
        )
        if not policy.complete:
            context = decision_log.of_incomplete_policy(call, policy.reason)
            _log.warning("policy is for one route only, and must not be cached", extra={"context": context})
        if allowed:
            return policy.document
        denied = without_own_path(policy.document, arn)
        if denied is None and self._may_allow(call, principal, now):
            raise _DeniedUncached
        return policy.document if denied is None else denied

    def _may_allow(self, call: AuthorizerCall, principal: Principal | None, now: float) -> bool:
        """Tell whether the policy for all routes may allow a path that was denied.

        The policy doesn't know the matched route, and can name no control characters except line breaks and tabs.
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


def _deny_malformed(malformed: MalformedEvent, event: object, function_request_id: str | None) -> AuthorizerResponse:
    request = RequestContext(choose_request_id(None, gateway_request_id=function_request_id))
    request.carried = event
    begin_request(request)
    record = decision_log.of_malformed_event(malformed)
    # At ERROR: the authorizer is attached to something that it doesn't serve, or someone invokes it by hand.
    _log.error("denied", extra={"context": record})
    context: dict[str, ContextValue] = {"request_id": request.request_id, "error_code": SYS_003.code}
    context["reason"] = str(record["reason"])
    return response(malformed.kind, allowed=False, context=context)


def _reject(call: AuthorizerCall, error: TenantgateError, request: RequestContext) -> AuthorizerResponse:
    """Respond to a credential that was rejected. Raises for a 401, and for an error that isn't the caller's."""
    status = error.http_status if error.http_status in (401, 403) else 500
    record = decision_log.of_rejected_credential(call, error, status)
    if status == 500:
        _log.error("no decision", extra={"context": record})
        raise AuthorizerFailed(error.error.code) from None
    _log.info("denied", extra={"context": record})
    if error.audited:
        from tenantgate.audit.denials import record_refused  # noqa: PLC0415  (slows a cold start)

        record_refused(error, presented=True, route=_named_route(call, None))
    if status == 401 and call.kind != APPSYNC:
        raise _unauthorized() from None
    context = {"request_id": request.request_id, "error_code": error.error.code, "reason": str(record["reason"])}
    policy = deny_all(call.arn.stage_arn) if call.arn is not None else None
    return response(call.kind, allowed=False, context=context, policy=policy)


def _record_denied(call: AuthorizerCall, decision: Decision) -> None:
    from tenantgate.audit.denials import record_denied  # noqa: PLC0415  (slows a cold start)

    record_denied(decision_log.error_code_of(decision), decision.reason, _named_route(call, decision.rule))


def _named_route(call: AuthorizerCall, rule: RouteRule | None) -> str | None:
    # Never the path: a caller chooses it, and it may name a person. A route is the API's own text.
    route = rule.route if rule is not None else call.route
    return None if route is None else Word(f"{call.api_id} {route}")


def _unauthorized() -> Exception:
    # API Gateway responds 401 to exactly this text, and 500 to any other.
    return Exception("Unauthorized")


def _failed(call: AuthorizerCall, failure: Exception) -> AuthorizerFailed:
    _log.error("no decision", exc_info=failure, extra={"context": decision_log.of_failure(call)})
    return AuthorizerFailed(SYS_003.code)
