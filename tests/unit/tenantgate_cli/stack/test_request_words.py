"""The words after the status in a request's line: each case, word by word."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambda_gateway.authorizers.results import Authorization, MissingIdentity, Reason
from lambda_gateway.observer import Handled
from tenantgate_cli.denials.decision_lines import decision_of, read_decision
from tenantgate_cli.stack.request_words import explanation

DENIED = Reason.EXPLICIT_DENY


def handled(
    status: int, authorization: Authorization | None, route_key: str = "GET /a", function: str = "", api: str = "Orders"
) -> Handled:
    return Handled("GET", "/a", status, 0.01, "request-id", route_key, function, api, "Root=1-a", authorization, api)


def line(reason: str, message: str = "denied", trace_id: object = "Root=1-a", **context: object) -> str:
    shown = {"message": message, "trace_id": trace_id, "context": {"reason": reason, **context}}
    return json.dumps(shown, separators=(",", ":"))


def ran(denied: Reason | None = DENIED) -> Authorization:
    return Authorization("Gate", denied, trace_id="Root=1-a")


def cached(seconds: float) -> Authorization:
    return Authorization("Gate", DENIED, seconds_left=seconds, trace_id="Root=1-a")


def unidentified(source: str, *, mismatched: bool = False) -> Authorization:
    return Authorization("Gate", Reason.UNAUTHORIZED, MissingIdentity(source, mismatched))


def by_jwt(problem: str = "", missing: MissingIdentity | None = None) -> Authorization:
    return Authorization("", Reason.UNAUTHORIZED, missing, jwt="Native", problem=problem)


ROLE = line("missing_role", rule="GET /parcels/{id}", expected=["clerk"], actual=[])
WORDS = [
    (handled(200, None), None, ""),
    (handled(200, ran(None), function="F"), None, ""),
    (handled(403, ran(None), function="F"), None, ""),
    (handled(403, ran()), ROLE, 'denied: missing_role (clerk) by "GET /parcels/{id}"'),
    (handled(403, ran()), line("no_rule", rule=None, expected="a rule for the route"), "denied: no_rule"),
    (
        handled(401, ran()),
        line("wrong_audience", expected=["a"], actual="b"),
        "denied: wrong_audience (b instead of a)",
    ),
    (handled(500, ran(Reason.FAILED)), line("provider_timeout", "no decision"), "no decision: provider_timeout"),
    (handled(403, ran()), None, "denied by Gate"),
    (handled(401, ran(Reason.UNAUTHORIZED)), None, "denied by Gate"),
    (handled(500, ran(Reason.FAILED)), None, "the authorizer failed"),
    (handled(500, ran(Reason.INVALID_RESULT)), None, "the authorizer's result is invalid"),
    (handled(403, cached(41.0)), None, "from the authorizer's cache, 41 s left"),
    (handled(403, cached(0.2)), None, "from the authorizer's cache, 1 s left"),
    (
        handled(403, cached(40.5)),
        ROLE,
        'from the authorizer\'s cache, 41 s left: missing_role (clerk) by "GET /parcels/{id}"',
    ),
    (
        handled(401, unidentified("$request.header.Authorization")),
        None,
        "from the gateway: the Authorization header is missing, so the authorizer didn't run",
    ),
    (
        handled(401, unidentified("method.request.querystring.token")),
        None,
        "from the gateway: the query parameter token is missing, so the authorizer didn't run",
    ),
    (
        handled(401, by_jwt("the token has expired")),
        None,
        "from the JWT authorizer Native: the token has expired",
    ),
    (
        handled(401, by_jwt(missing=MissingIdentity("$request.header.Authorization"))),
        None,
        "from the JWT authorizer Native: the Authorization header is missing",
    ),
    (
        handled(401, unidentified("$stageVariables.color")),
        None,
        "from the gateway: the value of $stageVariables.color is missing, so the authorizer didn't run",
    ),
    (
        handled(401, unidentified("method.request.header.Authorization", mismatched=True)),
        None,
        (
            "from the gateway: the Authorization header doesn't match the authorizer's validation expression, "
            "so the authorizer didn't run"
        ),
    ),
    (handled(404, None, route_key=""), None, "no such route in Orders"),
    (handled(403, None, route_key=""), None, "no such route in Orders"),
    (replace(handled(101, ran(None), function="F"), note="but it is odd"), None, "but it is odd"),
    (replace(handled(403, None, route_key=""), method="CONNECT"), None, "no such stage in Orders"),
    (replace(handled(403, None, route_key=""), method="MESSAGE"), None, "no such route in Orders"),
    (
        handled(401, unidentified("route.request.header.Authorization")),
        None,
        "from the gateway: the Authorization header is missing, so the authorizer didn't run",
    ),
    (
        handled(401, unidentified("route.request.querystring.room")),
        None,
        "from the gateway: the query parameter room is missing, so the authorizer didn't run",
    ),
    (handled(404, None, function="F"), None, ""),
    (handled(204, None, route_key=""), None, ""),
]


@pytest.mark.parametrize(("request_", "decision", "words"), WORDS)
def test_words(request_: Handled, decision: str | None, words: str) -> None:
    assert explanation(request_, read_decision(decision) if decision is not None else None) == words


@pytest.mark.parametrize(
    "text",
    [
        "denied",
        '"message":"denied" but no JSON',
        '["message":"denied"]',
        json.dumps({"message": "allowed", "trace_id": "Root=1-a", "context": {}, "x": '"message":"denied"'}),
        line("missing_role", trace_id=None),
        json.dumps({"message": "denied", "trace_id": "Root=1-a", "context": "none"}, separators=(",", ":")),
    ],
)
def test_other_lines_have_no_decision(text: str) -> None:
    assert read_decision(text) is None


def test_a_decision_without_a_reason_has_its_code() -> None:
    record = {"message": "no decision", "trace_id": "Root=1-a;Sampled=0", "context": {"error_code": "SYS_003"}}
    decision = decision_of(record)
    assert decision is not None
    assert (decision.brief, decision.trace_id) == ("SYS_003", "Root=1-a")
