"""The context of a log line about a decision."""

from __future__ import annotations

import pytest

from tenantgate.authorizer import decision_log
from tenantgate.authorizer.events import AuthorizerCall, MalformedEvent, read_event
from tenantgate.errors.access import AuthenticationRequired, InsufficientScope, StepUpRequired
from tenantgate.errors.base import Word
from tenantgate.errors.tokens import MissingClaim, TokenExpired, WrongAudience
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.model import Decision, RouteRule
from tests.fixtures.authorizer.events import authorizer_event

CALL = read_event(authorizer_event("http-2.0", None))
OF_CALL = {
    "shape": "http-2.0",
    "api_id": CALL.api_id,
    "method": "GET",
    "path": "/orders/42",
    "gateway_request_id": CALL.gateway_request_id,
}


def test_a_rejected_credential_has_code_reason_check_and_the_errors_values() -> None:
    error = WrongAudience("wrong aud", claim="aud", expected=("a",), actual="b")

    assert decision_log.of_rejected_credential(CALL, error, 401) == OF_CALL | {
        "status": 401,
        "error_code": "AUTH_004",
        "reason": "wrong_audience",
        "check": "audience",
        "finding": error,
        "claim": "aud",
        "expected": ("a",),
        "actual": "b",
    }


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (TokenExpired("exp"), "expiry"),
        (AuthenticationRequired("none"), "credential"),
        (MissingClaim("sub", claim="sub"), "claim sub"),
        (MissingClaim("no name"), "claim"),
        (InsufficientScope("of no check of a token"), "other"),
    ],
)
def test_the_check_names_the_claim(error: Exception, check: str) -> None:
    assert decision_log.check_of(error) == check  # type: ignore[arg-type]  # each is a TenantgateError


RULE = RouteRule("GET", "/orders/{id}", scopes=frozenset({"a"}))


@pytest.mark.parametrize(
    ("decision", "code", "rule"),
    [
        (Decision(False, "missing_scope", RULE, ["a"], [], InsufficientScope), "AUTH_010", "GET /orders/{id}"),
        (Decision(False, "acr_too_weak", RULE, ["a"], None, StepUpRequired), "AUTH_011", "GET /orders/{id}"),
        (Decision(False, "no_rule", None, "a rule", "GET /x", InsufficientScope), "AUTH_010", None),
        (Decision(False, "no_rule"), "AUTH_010", None),
        (Decision(False, "authentication_required", RULE, error=AuthenticationRequired), "AUTH_007", RULE.route),
    ],
)
def test_a_denial_has_the_rule_and_its_code(decision: Decision, code: str, rule: str | None) -> None:
    assert decision_log.of_denial(CALL, decision) == OF_CALL | {
        "status": 403,
        "error_code": code,
        "reason": decision.reason,
        "check": "route rule",
        "rule": rule,
        "expected": decision.expected,
        "actual": decision.actual,
    }
    assert decision_log.error_code_of(decision) == code


def test_an_allowed_request_has_the_issuer() -> None:
    principal = Principal("user-1", "org-1", "https://issuer.example", frozenset(), 1)

    assert decision_log.of_allowed(CALL, principal) == OF_CALL | {"status": 200, "issuer": "https://issuer.example"}
    assert decision_log.of_allowed(CALL, None) == OF_CALL | {"status": 200, "issuer": None}


def test_a_failure_has_the_internal_code() -> None:
    assert decision_log.of_failure(CALL) == OF_CALL | {"status": 500, "error_code": "SYS_003"}


@pytest.mark.parametrize(("kind", "reason"), [("unknown", "unknown_event"), ("websocket", "malformed_event")])
def test_a_malformed_event_has_its_shape_and_the_problem(kind: str, reason: str) -> None:
    malformed = MalformedEvent(kind, "the problem")  # type: ignore[arg-type]  # a kind

    assert decision_log.of_malformed_event(malformed) == {
        "error_code": "SYS_003",
        "status": 403,
        "shape": kind,
        "reason": reason,
        "check": "event",
        "finding": malformed,
    }


def test_a_denial_of_appsync_is_a_401() -> None:
    call = read_event(authorizer_event("appsync", "a.b.c"))

    assert decision_log.of_denial(call, Decision(False, "no_rule"))["status"] == 401
    assert decision_log.of_failure(call)["status"] == 500
    assert decision_log.of_allowed(call, None)["status"] == 200


def test_a_token_event_has_no_request_id() -> None:
    call = read_event(authorizer_event("rest-token", "a.b.c"))

    assert "gateway_request_id" not in decision_log.of_failure(call)


def call_for(path: str, route: str | None) -> AuthorizerCall:
    return AuthorizerCall("http-2.0", "api", "GET", path, None, None, {}, {}, route)


def test_only_a_path_that_equals_the_matched_route_is_the_apis_own_text() -> None:
    assert type(decision_log.of_failure(call_for("/status", "/status"))["path"]) is Word
    assert type(decision_log.of_failure(call_for("/orders/42", "/orders/{id}"))["path"]) is str
    assert type(decision_log.of_failure(call_for("/status", None))["path"]) is str
