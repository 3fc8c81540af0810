"""Responses in the form of each integration."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.events import APPSYNC, HTTP_2, Kind
from tenantgate.authorizer.responses import deny_all, policy_document, response, statement
from tenantgate.identity.principal import Principal

STAGE = "arn:aws:execute-api:eu-central-1:210987654321:k2j4h6g8f0/live/"
POLICY = policy_document(statement("Allow", [f"{STAGE}GET/a"]))
CALLER = Principal("u", "org-1", "https://issuer.example", frozenset(), 1)
DENY = {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}


def test_a_stage_is_denied_with_all_its_methods() -> None:
    assert deny_all(STAGE) == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": f"{STAGE}*"}],
    }


@pytest.mark.parametrize("allowed", [True, False])
def test_simple_responses_are_booleans(allowed: bool) -> None:
    context = {"request_id": "r"}
    assert response(HTTP_2, allowed, context=context, principal=CALLER) == {
        "isAuthorized": allowed,
        "context": context,
    }
    assert response(APPSYNC, allowed, context=context, principal=CALLER) == {
        "isAuthorized": allowed,
        "resolverContext": context,
        "ttlOverride": 0,
    }


@pytest.mark.parametrize("kind", ["rest-token", "rest-request", "http-1.0", "http-2.0-policy", "websocket"])
def test_the_other_responses_are_policies_and_deny_by_default(kind: Kind) -> None:
    for allowed in (True, False):
        assert response(kind, allowed, context={}, policy=POLICY, principal=CALLER) == {
            "principalId": "https://issuer.example#u",
            "policyDocument": POLICY,
            "context": {},
        }
    denied = response(kind, allowed=False, context={})
    assert denied["policyDocument"]["Statement"] == [DENY]
    assert denied["principalId"] == "unauthenticated"
    assert "isAuthorized" not in denied


def test_an_event_of_unknown_shape_is_denied_in_every_form() -> None:
    assert response("unknown", allowed=True, context={"reason": "x"}) == {
        "isAuthorized": False,
        "principalId": "unauthenticated",
        "policyDocument": {"Version": "2012-10-17", "Statement": [DENY]},
        "context": {"reason": "x"},
    }
