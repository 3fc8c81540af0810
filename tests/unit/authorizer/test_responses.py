"""The authorizer behind every integration: what its answers mean there, for every kind of caller."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    ApiGatewayAuthorizerRequestV2,
    ApiGatewayAuthorizerToken,
    APIGatewayWebSocketConnectEventModel,
)
from pydantic import BaseModel

from tenantgate.authorizer.events import MalformedEvent, read_event
from tenantgate.authorizer.service import Authorizer
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate.observability.logging import configure_logging
from tenantgate_cli.generate.authorizer import CASES, MATRIX, SHAPES, Outcome
from tests.fixtures.authorizer.events import SHAPES as RECORDED
from tests.fixtures.authorizer.events import authorizer_event, request_id_of
from tests.fixtures.authorizer.guarded import authorizer, rules, token
from tests.fixtures.authorizer.iam import allows
from tests.fixtures.authorizer.integrations import schema_problem, status_told
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT, b64
from tests.fixtures.web.setup import log_lines

POLICY_SHAPES = ("rest-token", "rest-request", "http-1.0", "http-2.0-policy")
LAMBDAS_OWN_ID = "f5b4cdd4-0d5a-4a9c-8f1e-0d8a5d4e6c11"


def _forged() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{b64(json.dumps({'iss': ISSUER, 'sub': 'admin', 'iat': NOW, 'exp': NOW + 60}))}.{signature}"


CREDENTIALS: dict[str, Callable[[], str | None]] = {
    "valid": token,
    "expired": lambda: token(iat=NOW - 900, exp=NOW - 300),
    "forged": _forged,
    "no tenant": lambda: token(tenant_id=None),
    "wrong scope": lambda: token(scope="billing:read"),
    "missing credential": lambda: None,
}
REASONS = {
    "expired": "token_expired",
    "forged": "invalid_signature",
    "no tenant": "tenant_missing",
    "wrong scope": "missing_scope",
    "missing credential": "authentication_required",
}


@pytest.fixture(autouse=True)
def _json_log() -> None:
    configure_logging(level="INFO", service="authorizer")


def denials(out: str) -> list[dict[str, Any]]:
    return [line for line in log_lines(out) if line["message"] == "denied"]


def test_the_matrix_speaks_of_every_shape_and_case() -> None:
    assert tuple(MATRIX) == tuple(SHAPES) == RECORDED
    assert all(tuple(told) == CASES == tuple(CREDENTIALS) for told in MATRIX.values())


@pytest.mark.parametrize(
    ("shape", "case", "told"),
    [pytest.param(shape, case, MATRIX[shape][case], id=f"{shape}-{case}") for shape in RECORDED for case in CASES],
)
def test_each_integration_tells_its_client(
    shape: str, case: str, told: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    event = authorizer_event(shape, CREDENTIALS[case]())

    status = status_told(shape, event, lambda: authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID))

    lines = denials(capsys.readouterr().out)
    assert (status, lines[0]["context"]["error_code"] if lines else "") == told
    if case != "valid":
        assert len(lines) == 1
        receipt = lines[0]["context"]
        assert (receipt["shape"], receipt["status"], receipt["reason"]) == (shape, told.status, REASONS[case])
        assert receipt["check"]
        # The id that the client sees; a TOKEN event brings none.
        assert lines[0]["request_id"] == (request_id_of(event) or LAMBDAS_OWN_ID)


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0", "http-2.0-policy"])
def test_a_caller_cant_mask_the_route_that_the_event_names(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event(shape, _forged())
    path = read_event(event).path
    event["queryStringParameters"] = {"x": path, "y": "signature doesn't verify"}
    event["routeKey" if shape.startswith("http-2.0") else "resource"] = f"GET {path}" if "2.0" in shape else path

    status_told(shape, event, lambda: authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID))

    [line] = denials(capsys.readouterr().out)
    assert line["context"]["path"] == path
    assert line["context"]["finding"] == "signature doesn't verify"


def test_a_denial_in_our_own_words_looks_for_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked: list[object] = []

    def carried_values(*parts: object) -> set[str]:
        looked.append(parts)
        return set()

    monkeypatch.setattr("tenantgate.observability.carried.carried_values", carried_values)
    event = authorizer_event("http-2.0", _forged())
    # Working out what an event carries is most of such a line's cost.
    for route, times in ((f"GET {read_event(event).path}", 0), ("$default", 1)):
        event["routeKey"] = route
        status_told("http-2.0", event, lambda: authorizer().decide(event))
        assert len(denials(capsys.readouterr().out)) == 1
        assert len(looked) == times


@pytest.mark.parametrize("shape", RECORDED)
def test_the_principal_reaches_the_backend(shape: str) -> None:
    event = authorizer_event(shape, token())

    answer: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)

    assert schema_problem(shape, answer) is None
    context = answer["resolverContext" if shape == "appsync" else "context"]
    # A REST API hands every value on as a string.
    principal = Principal.from_context({name: str(value) for name, value in context.items()})
    assert (principal.user_id, principal.tenant_id, principal.expires_at) == ("user-1", TENANT, NOW + 600)
    assert principal.scopes == {"orders:read", "orders:write"}
    assert context["request_id"] == (request_id_of(event) or LAMBDAS_OWN_ID)


@pytest.mark.parametrize("shape", POLICY_SHAPES)
def test_a_denial_by_policy_leaves_no_trace_in_what_other_routes_are_served_from_the_cache(shape: str) -> None:
    event = authorizer_event(shape, token(scope="orders:write"))

    answer: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)

    assert {"error_code", "reason"}.isdisjoint(answer["context"])
    assert answer["context"]["scopes"] == "orders:write"


@pytest.mark.parametrize("shape", POLICY_SHAPES)
def test_a_policy_is_the_principals_for_the_whole_stage(shape: str) -> None:
    """API Gateway reuses it for other routes: it must neither open nor close one of them."""
    event = authorizer_event(shape, token(scope="orders:read"))
    arn = event.get("methodArn") or event["routeArn"]
    stage = arn.removesuffix("/GET/orders/42")

    answer: Any = authorizer().decide(event)

    allowed = {
        route
        for route in ("GET/orders/42", "GET/orders/7", "POST/orders", "GET/catalogue", "GET/orders", "GET/admin", "")
        if allows(answer["policyDocument"], f"{stage}/{route}")
    }
    assert allowed == {"GET/orders/42", "GET/orders/7", "GET/catalogue"}
    assert not allows(answer["policyDocument"], arn.replace("/live/", "/other/"))


@pytest.mark.parametrize("shape", POLICY_SHAPES)
def test_a_denied_route_still_gets_the_policy_of_the_others(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event(shape, token(scope="orders:write"))
    arn = event.get("methodArn") or event["routeArn"]

    answer: Any = authorizer().decide(event)

    assert not allows(answer["policyDocument"], arn)
    assert allows(answer["policyDocument"], arn.replace("GET/orders/42", "POST/orders"))
    [line] = denials(capsys.readouterr().out)
    assert line["user_id"] == "user-1"
    assert line["context"] | {"rule": "GET /orders/{order_id}", "expected": ["orders:read"]} == line["context"]
    assert line["context"]["actual"] == ["orders:write"]


def catalogue_event(shape: str, credential: str | None) -> dict[str, Any]:
    """The shape's event for the public route."""
    text = json.dumps(authorizer_event(shape, credential))
    event: dict[str, Any] = json.loads(
        text.replace("/orders/42", "/catalogue").replace("/orders/{order_id}", "/catalogue")
    )
    return event


@pytest.mark.parametrize("shape", [shape for shape in POLICY_SHAPES if shape != "rest-token"] + ["http-2.0"])
def test_a_public_route_needs_no_credential_but_refuses_a_bad_one(shape: str) -> None:
    def asked(credential: str | None) -> int:
        event = catalogue_event(shape, credential)
        return status_told(shape, event, lambda: authorizer().decide(event))

    assert [asked(None), asked(token()), asked(_forged())] == [200, 200, 401]


def test_what_nobody_is_told_about_isnt_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    event = catalogue_event("rest-request", None)
    answer: Any = authorizer().decide(event)
    assert answer["principalId"] == "unauthenticated"
    assert answer["context"] == {"request_id": request_id_of(event)}
    assert denials(capsys.readouterr().out) == []


def test_appsync_caches_nothing_and_takes_the_token_with_or_without_its_scheme() -> None:
    for written in (token(), f"Bearer {token()}"):
        answer = authorizer().decide(authorizer_event("appsync", written))
        assert (answer["isAuthorized"], answer["ttlOverride"]) == (True, 0)


# Members without which a shape isn't that shape, and what a wrong one makes of it.
REQUIRED = {
    "rest-token": ("type", "methodArn"),
    "rest-request": ("type", "methodArn", "requestContext", "httpMethod"),
    "http-1.0": ("type", "methodArn", "requestContext", "httpMethod"),
    "http-2.0": ("type", "routeArn", "requestContext"),
    "http-2.0-policy": ("type", "routeArn", "requestContext"),
    "websocket": ("type", "methodArn"),
    "appsync": ("authorizationToken", "requestContext"),
}
WRONG: list[Any] = [None, "", 7, True, [], {}, "arn:aws:execute-api:x", "arn:aws:s3:::a/b/GET/c", "\ud800"]


@pytest.mark.parametrize("shape", RECORDED)
def test_an_event_that_lacks_what_its_shape_promises_is_denied(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    for member in REQUIRED[shape]:
        without = {name: value for name, value in authorizer_event(shape, token()).items() if name != member}
        for event in (without, *({**without, member: wrong} for wrong in WRONG)):
            assert told_to_a_broken_event(shape, event) in (401, 403), (member, event.get(member))
            for line in denials(capsys.readouterr().out):
                assert "exception" not in line["context"]
                assert line["context"]["reason"] in ("malformed_event", "unknown_event", "authentication_required")


ODD_VERSIONS: list[Any] = ["", "1", "2.1", 2.0, None, []]
OF_NO_SHAPE: list[Any] = [
    *(None, 7, "x", [], {}, {"type": "TOKEN"}, {"type": "REQUEST"}, {"version": "2.0"}, {"version": "3.0"}),
    *({"type": "REQUEST", "version": version} for version in ODD_VERSIONS),
    *({"authorizationToken": "t", "requestContext": {}}, {"type": ["TOKEN"]}, {"type": {"a": 1}}),
]


@pytest.mark.parametrize("event", OF_NO_SHAPE, ids=range(len(OF_NO_SHAPE)))
def test_an_event_of_no_known_shape_is_denied_with_one_line(event: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)

    assert not answer.get("isAuthorized", False)
    assert "Allow" not in str(answer)
    [line] = log_lines(capsys.readouterr().out)
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", "denied", LAMBDAS_OWN_ID)
    assert line["context"]["reason"] in ("malformed_event", "unknown_event")


def told_to_a_broken_event(shape: str, event: Any) -> int:
    """What any integration that reads this answer would tell its client."""
    try:
        answer: Any = authorizer().decide(event)
    except Exception as failure:  # noqa: BLE001 - API Gateway sees no kinds of exceptions, only the text
        return 401 if str(failure) == "Unauthorized" else 500
    assert answer.get("isAuthorized", False) is False
    if "policyDocument" in answer:
        assert {statement["Effect"] for statement in answer["policyDocument"]["Statement"]} == {"Deny"}
    return 403


def test_an_unknown_stage_variable_value_is_denied(capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event("http-2.0", token())
    event["stageVariables"] = {"tenantgate_answer": "polcy"}
    assert authorizer().decide(event)["isAuthorized"] is False
    assert denials(capsys.readouterr().out)[0]["context"]["reason"] == "malformed_event"


def test_our_own_trouble_is_a_500_and_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        scheme = "bearer"

        def authenticate(self, value: str, *, fetch: bool = True) -> Principal:
            raise ZeroDivisionError(value)

    for shape in RECORDED:
        guard = Authorizer(Credentials(Broken()), rules())
        event = authorizer_event(shape, token())
        assert status_told(shape, event, lambda guard=guard, event=event: guard.decide(event)) == 500  # type: ignore[misc]
        [line] = log_lines(capsys.readouterr().out)
        assert (line["level"], line["message"]) == ("ERROR", "no decision")
        assert token() not in json.dumps(line)


def test_a_receipt_names_expected_and_actual_but_no_token_material(capsys: pytest.CaptureFixture[str]) -> None:
    sent = token(aud="billing-api")
    with pytest.raises(Exception, match=r"\AUnauthorized\Z"):
        authorizer().decide(authorizer_event("http-2.0", sent))

    out = capsys.readouterr().out
    [line] = denials(out)
    wanted = {"check": "audience", "reason": "wrong_audience", "expected": ["tenantgate-api"], "actual": "billing-api"}
    assert line["context"] | wanted == line["context"]
    assert not any(part in out for part in sent.split("."))


def test_a_callers_own_request_id_stands_beside_the_gateways(capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event("http-2.0", None)
    event["headers"]["x-request-id"] = "checkout-0001"
    with pytest.raises(Exception, match=r"\AUnauthorized\Z"):
        authorizer().decide(event)
    [line] = denials(capsys.readouterr().out)
    assert line["request_id"] == "checkout-0001"
    assert line["context"]["gateway_request_id"] == request_id_of(event)


@pytest.mark.parametrize("shape", RECORDED)
def test_the_recorded_events_are_what_others_read_them_as(shape: str) -> None:
    """AWS Powertools' models of these events were written by somebody else."""
    event = authorizer_event(shape, token())
    assert read_event(event).kind == shape
    models: dict[str, type[BaseModel]] = {
        "rest-token": ApiGatewayAuthorizerToken,
        "http-2.0": ApiGatewayAuthorizerRequestV2,
        "http-2.0-policy": ApiGatewayAuthorizerRequestV2,
        "websocket": APIGatewayWebSocketConnectEventModel,
    }
    if shape in models:
        models[shape].model_validate({"isBase64Encoded": False, **event})


def test_a_malformed_event_names_its_shape() -> None:
    with pytest.raises(MalformedEvent) as malformed:
        read_event(authorizer_event("websocket", token()) | {"methodArn": "arn:aws:execute-api:r:a:api/live/$default"})
    assert malformed.value.kind == "websocket"
