"""The decision log: the `context` of each line about a decision, and the reason codes in it.

Clients, logs and `tenantgate explain` share the reason codes. They are stable: an error's name in snake case, or the
code that the route rules return. A line repeats a `Word` even where a caller sent the same text.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.authorizer.events import APPSYNC, UNKNOWN, AuthorizerCall, MalformedEvent
from tenantgate.errors.access import AUTH_010, AUTH_011, InsufficientScope
from tenantgate.errors.base import SYS_003, ErrorCode, TenantgateError, Word
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.model import Decision

MALFORMED_EVENT = "malformed_event"
UNKNOWN_EVENT = "unknown_event"

# Error → name of the check that failed, in the verifier's order. For `claim`, the name of the claim follows.
CHECKS: Mapping[str, str] = {
    "AuthenticationRequired": "credential",
    "MalformedToken": "form",
    "UnsupportedHeader": "header",
    "WrongIssuer": "issuer",
    "AlgorithmNotAllowed": "algorithm",
    "UnknownKey": "key",
    "ProviderUnreachable": "key",
    "ProviderTimeout": "key",
    "InvalidSignature": "signature",
    "WrongTokenType": "type",
    "IssuedInFuture": "issued at",
    "LifetimeTooLong": "lifetime",
    "NotYetValid": "not before",
    "WrongAudience": "audience",
    "MissingClaim": "claim",
    "InvalidClaim": "claim",
    "TokenExpired": "expiry",
    "TenantMissing": "tenant",
    "TenantMalformed": "tenant",
    "TenantNotAllowed": "tenant",
    "TokenRevoked": "revocation",
    "RevocationUnknown": "revocation",
    "SessionEnded": "session",
    "CacheUnavailable": "session",
    "CrossSiteRequest": "origin",
    "CsrfTokenMissing": "CSRF token",
    "CsrfTokenWrong": "CSRF token",
}

# Reason of a denial by the route rules (`route_rules/engine.py`) → the error code that the client gets.
RULE_REASONS: Mapping[str, ErrorCode] = {
    "no_rule": AUTH_010,
    "ambiguous_path": AUTH_010,
    "issuer_not_allowed": AUTH_010,
    "missing_scope": AUTH_010,
    "missing_any_scope": AUTH_010,
    "missing_role": AUTH_010,
    "acr_too_weak": AUTH_011,
    "authentication_too_old": AUTH_011,
    "authentication_time_unknown": AUTH_011,
}

type LogContext = dict[str, object]


def reason_code(error: type[TenantgateError]) -> str:
    """`TokenExpired` → `token_expired`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in error.__name__).lstrip("_")


def check_of(error: TenantgateError) -> str:
    """Name the check that failed, with the claim's name for a check of a claim."""
    name = CHECKS.get(type(error).__name__, "other")
    return f"claim {error.private['claim']}" if name == "claim" and "claim" in error.private else name


def of_malformed_event(malformed: MalformedEvent) -> LogContext:
    reason = UNKNOWN_EVENT if malformed.kind == UNKNOWN else MALFORMED_EVENT
    return {
        "error_code": SYS_003.code,
        "status": 403,
        "shape": Word(malformed.kind),
        "reason": Word(reason),
        "check": Word("event"),
        "finding": malformed,
    }


def of_rejected_credential(call: AuthorizerCall, error: TenantgateError, status: int) -> LogContext:
    """Code, reason and check of a rejected credential, with the error's expected and actual values."""
    return {
        **_of_call(call, status),
        "error_code": error.error.code,
        "reason": Word(reason_code(type(error))),
        "check": Word(check_of(error)),
        # The exception itself, which knows which of its words are our own.
        "finding": error,
        **error.private,
    }


def of_denial(call: AuthorizerCall, decision: Decision) -> LogContext:
    """Code, reason, rule, and expected and actual values of a denial by the route rules."""
    return {
        **_of_call(call, 403),
        "error_code": error_code_of(decision),
        "reason": Word(decision.reason),
        "check": Word("route rule"),
        "rule": Word(decision.rule.route) if decision.rule is not None else None,
        "expected": decision.expected,
        "actual": decision.actual,
    }


def of_allowed(call: AuthorizerCall, principal: Principal | None) -> LogContext:
    return {**_of_call(call, 200), "issuer": Word(principal.issuer) if principal is not None else None}


def of_incomplete_policy(call: AuthorizerCall, reason: str) -> LogContext:
    return {"api_id": Word(call.api_id), "reason": Word(reason)}


def of_failure(call: AuthorizerCall) -> LogContext:
    return {**_of_call(call, 500), "error_code": SYS_003.code}


def error_code_of(denial: Decision) -> str:
    return (denial.error or InsufficientScope).error.code


def _of_call(call: AuthorizerCall, status: int) -> LogContext:
    context: LogContext = {
        "shape": Word(call.kind),
        "api_id": Word(call.api_id),
        "method": call.method,
        # A path that equals the matched route is the API's own text, even if the caller sent the same elsewhere.
        "path": Word(call.path) if call.path == call.route else call.path,
        # The client's status: AppSync responds 401 to every denial.
        "status": 401 if call.kind == APPSYNC and status == 403 else status,
    }
    if call.gateway_request_id is not None:
        context["gateway_request_id"] = Word(call.gateway_request_id)
    return context
