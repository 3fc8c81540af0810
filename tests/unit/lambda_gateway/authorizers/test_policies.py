"""IAM policies: explicit denials win, the default is a denial, wildcards match slashes."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_gateway.authorizers.policies import Effect, Policy
from lambda_gateway.responses.response import MalformedResponse
from tests.fixtures.authorizer.iam import matches

API = "arn:aws:execute-api:us-east-1:123456789012:abc123"
INVOKE = "execute-api:Invoke"


def statement(resource: object, effect: str = "Allow", action: object = INVOKE) -> dict[str, object]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def effect(*statements: object, on: str = "prod/GET/orders/7") -> Effect:
    return Policy({"Version": "2012-10-17", "Statement": list(statements)}).effect_on(f"{API}/{on}")


@pytest.mark.parametrize(
    ("resource", "matches"),
    [
        pytest.param(f"{API}/prod/GET/orders/7", True, id="same-method"),
        pytest.param(f"{API}/prod/GET/orders/8", False, id="another"),
        pytest.param(f"{API}/prod/GET/orders", False, id="its-parent"),
        pytest.param(f"{API}/prod/GET/orders/7/", False, id="with-a-slash"),
        pytest.param(f"{API}/prod/GET/orders/*", True, id="wildcard-segment"),
        pytest.param(f"{API}/prod/GET/*", True, id="wildcard-across-slashes"),
        pytest.param(f"{API}/*/7", True, id="wildcard-in-the-middle"),
        pytest.param(f"{API}/prod/*/orders/7", True, id="any-method"),
        pytest.param(f"{API}/prod/GET/orders/?", True, id="one-character"),
        pytest.param(f"{API}/prod/GET/orders/??", False, id="two-characters"),
        pytest.param(f"{API}/prod/get/orders/7", False, id="case-counts"),
        pytest.param(f"{API}/prod/GET/orders.7", False, id="a-dot-is-a-dot"),
        pytest.param(f"{API}/dev/GET/orders/7", False, id="another-stage"),
        pytest.param(f"{API}*", True, id="prefix"),
        pytest.param("arn:aws:execute-api:*:*:*", True, id="wildcards-in-every-part"),
        pytest.param("arn:aws:execute-api:*", False, id="too-few-parts"),
        pytest.param("arn:*", False, id="a-wildcard-does-not-cross-colons"),
        pytest.param("*", True, id="everything"),
        pytest.param([f"{API}/prod/GET/a", f"{API}/prod/GET/orders/7"], True, id="one-of-a-list"),
    ],
)
def test_resources(resource: object, matches: bool) -> None:
    assert effect(statement(resource)) is (Effect.ALLOW if matches else Effect.NONE)


@pytest.mark.parametrize(
    ("action", "counts"),
    [
        (INVOKE, True),
        ("execute-api:*", True),
        ("*", True),
        ("EXECUTE-API:invoke", True),
        (["s3:GetObject", INVOKE], True),
        ("execute-api:ManageConnections", False),
        ("s3:*", False),
    ],
)
def test_actions(action: object, counts: bool) -> None:
    assert effect(statement("*", action=action)) is (Effect.ALLOW if counts else Effect.NONE)


def test_an_explicit_deny_wins_in_any_order() -> None:
    allow, deny = statement("*"), statement(f"{API}/prod/GET/orders/*", "Deny")
    assert effect(allow, deny) is effect(deny, allow) is Effect.DENY
    assert effect(allow, deny, on="prod/GET/other") is Effect.ALLOW


@pytest.mark.parametrize("document", [{}, {"Statement": []}, {"Version": "2012-10-17", "Statement": []}])
def test_an_empty_policy_allows_nothing(document: object) -> None:
    assert Policy(document).effect_on(f"{API}/prod/GET/a") is Effect.NONE


def test_a_single_statement_needs_no_list() -> None:
    assert Policy({"Statement": statement("*")}).effect_on(f"{API}/prod/GET/a") is Effect.ALLOW


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(None, id="nothing"),
        pytest.param("{}", id="text"),
        pytest.param({"Statement": ["Allow"]}, id="statement-not-an-object"),
        pytest.param({"Statement": [statement("*", "allow")]}, id="effect-in-small-letters"),
        pytest.param({"Statement": [{"Effect": "Allow", "Action": INVOKE}]}, id="no-resource"),
        pytest.param({"Statement": [{"Effect": "Allow", "Resource": "*"}]}, id="no-action"),
        pytest.param({"Statement": [statement([])]}, id="empty-resources"),
        pytest.param({"Statement": [statement("*") | {"Condition": {}}]}, id="a-condition-is-never-ignored"),
        pytest.param({"Statement": [{"Effect": "Allow", "NotAction": "a", "Resource": "*"}]}, id="not-action"),
        pytest.param({"Statement": [{"Effect": "Deny", "Action": INVOKE, "NotResource": "*"}]}, id="not-resource"),
    ],
)
def test_unsupported_policies_are_rejected(document: object) -> None:
    with pytest.raises(MalformedResponse):
        Policy(document)


@pytest.mark.parametrize("text", ["*a" * 200 + "*b", "*?" * 200 + "*b", "**" * 200 + "b", "*aa?" * 60 + "*/b"])
def test_a_pattern_of_many_wildcards_is_matched_without_backtracking(text: str) -> None:
    started = time.process_time()
    assert effect(statement(f"{API}/{text}"), on=f"prod/GET/{'a' * 4000}") is Effect.NONE
    assert time.process_time() - started < 1


@settings(max_examples=500, deadline=None)
@given(
    st.text("ab/*?", min_size=1, max_size=8),
    st.one_of(st.text("ab/", min_size=1, max_size=8), st.from_regex("[ab/]{1,8}[*?]?", fullmatch=True)),
)
def test_wildcards_match_as_in_a_plain_implementation_of_iam(pattern: str, path: str) -> None:
    expected = Effect.ALLOW if matches(f"{API}/{pattern}", f"{API}/{path}") else Effect.NONE
    assert effect(statement(f"{API}/{pattern}"), on=path) is expected
