"""The authorizer behind every integration: the status that each kind of caller gets, and the log line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenantgate.authorizer.events import read_event
from tenantgate.authorizer.service import Authorizer
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate_cli.generate.authorizer import CASES, MATRIX, SHAPES, Outcome
from tests.fixtures.authorizer.events import SHAPES as RECORDED
from tests.fixtures.authorizer.events import authorizer_event, request_id_of
from tests.fixtures.authorizer.guarded import authorizer, rules, token
from tests.fixtures.authorizer.iam import allows
from tests.fixtures.authorizer.integrations import client_status, schema_problem
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


pytestmark = pytest.mark.usefixtures("json_log")


def denials(out: str) -> list[dict[str, Any]]:
    return [line for line in log_lines(out) if line["message"] == "denied"]


def test_the_documented_matrix_has_every_shape_and_case() -> None:
    assert tuple(MATRIX) == tuple(SHAPES) == RECORDED
    assert all(tuple(documented) == CASES == tuple(CREDENTIALS) for documented in MATRIX.values())


@pytest.mark.parametrize(
    ("shape", "case", "expected"),
    [pytest.param(shape, case, MATRIX[shape][case], id=f"{shape}-{case}") for shape in RECORDED for case in CASES],
)
def test_each_integration_responds_as_documented(
    shape: str, case: str, expected: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    event = authorizer_event(shape, CREDENTIALS[case]())

    status = client_status(shape, event, lambda: authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID))

    lines = denials(capsys.readouterr().out)
    assert (status, lines[0]["context"]["error_code"] if lines else "") == expected
    if case != "valid":
        assert len(lines) == 1
        context = lines[0]["context"]
        assert (context["shape"], context["status"], context["reason"]) == (shape, expected.status, REASONS[case])
        assert context["check"]
        # The id that the client sees. A TOKEN event doesn't contain it.
        assert lines[0]["request_id"] == (request_id_of(event) or LAMBDAS_OWN_ID)


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0", "http-2.0-policy"])
def test_a_caller_cannot_mask_the_matched_route_in_the_log(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event(shape, _forged())
    path = read_event(event).path
    event["queryStringParameters"] = {"x": path, "y": "signature doesn't verify"}
    event["routeKey" if shape.startswith("http-2.0") else "resource"] = f"GET {path}" if "2.0" in shape else path

    client_status(shape, event, lambda: authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID))

    [line] = denials(capsys.readouterr().out)
    assert line["context"]["path"] == path
    assert line["context"]["finding"] == "signature doesn't verify"


def test_a_denial_without_text_from_the_caller_looks_for_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    searches: list[object] = []

    def carried_values(*parts: object) -> set[str]:
        searches.append(parts)
        return set()

    monkeypatch.setattr("tenantgate.observability.carried.carried_values", carried_values)
    event = authorizer_event("http-2.0", _forged())
    # Finding the secrets of an event takes most of the time of such a line.
    for route, times in ((f"GET {read_event(event).path}", 0), ("$default", 1)):
        event["routeKey"] = route
        client_status("http-2.0", event, lambda: authorizer().decide(event))
        assert len(denials(capsys.readouterr().out)) == 1
        assert len(searches) == times


@pytest.mark.parametrize("shape", RECORDED)
def test_the_principal_reaches_the_backend(shape: str) -> None:
    event = authorizer_event(shape, token())

    response: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)

    assert schema_problem(shape, response) is None
    context = response["resolverContext" if shape == "appsync" else "context"]
    # A REST API passes every value on as a string.
    principal = Principal.from_context({name: str(value) for name, value in context.items()})
    assert (principal.user_id, principal.tenant_id, principal.expires_at) == ("user-1", TENANT, NOW + 600)
    assert principal.scopes == {"orders:read", "orders:write"}
    assert context["request_id"] == (request_id_of(event) or LAMBDAS_OWN_ID)


@pytest.mark.parametrize("shape", POLICY_SHAPES)
def test_a_policys_context_does_not_mention_the_denial_because_other_routes_may_reuse_it(shape: str) -> None:
    event = authorizer_event(shape, token(scope="orders:write"))

    response: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)

    assert {"error_code", "reason"}.isdisjoint(response["context"])
    assert response["context"]["scopes"] == "orders:write"


@pytest.mark.parametrize("shape", POLICY_SHAPES)
def test_a_policy_covers_all_routes_of_the_stage(shape: str) -> None:
    """API Gateway reuses it for other routes, so it must not change the decision on any of them."""
    event = authorizer_event(shape, token(scope="orders:read"))
    arn = event.get("methodArn") or event["routeArn"]
    stage = arn.removesuffix("/GET/orders/42")

    response: Any = authorizer().decide(event)

    allowed = {
        route
        for route in ("GET/orders/42", "GET/orders/7", "POST/orders", "GET/catalogue", "GET/orders", "GET/admin", "")
        if allows(response["policyDocument"], f"{stage}/{route}")
    }
    assert allowed == {"GET/orders/42", "GET/orders/7", "GET/catalogue"}
    assert not allows(response["policyDocument"], arn.replace("/live/", "/other/"))


@pytest.mark.parametrize("shape", POLICY_SHAPES)
def test_the_policy_for_a_denied_route_still_allows_the_others(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event(shape, token(scope="orders:write"))
    arn = event.get("methodArn") or event["routeArn"]

    response: Any = authorizer().decide(event)

    assert not allows(response["policyDocument"], arn)
    assert allows(response["policyDocument"], arn.replace("GET/orders/42", "POST/orders"))
    [line] = denials(capsys.readouterr().out)
    assert line["user_id"] == "user-1"
    assert line["context"] | {"rule": "GET /orders/{order_id}", "expected": ["orders:read"]} == line["context"]
    assert line["context"]["actual"] == ["orders:write"]


def catalogue_event(shape: str, credential: str | None) -> dict[str, Any]:
    """Return the shape's event for the public route."""
    text = json.dumps(authorizer_event(shape, credential))
    event: dict[str, Any] = json.loads(
        text.replace("/orders/42", "/catalogue").replace("/orders/{order_id}", "/catalogue")
    )
    return event


@pytest.mark.parametrize("shape", [shape for shape in POLICY_SHAPES if shape != "rest-token"] + ["http-2.0"])
def test_a_public_route_needs_no_credential_but_rejects_an_invalid_one(shape: str) -> None:
    def status(credential: str | None) -> int:
        event = catalogue_event(shape, credential)
        return client_status(shape, event, lambda: authorizer().decide(event))

    assert [status(None), status(token()), status(_forged())] == [200, 200, 401]


def test_a_caller_without_a_credential_has_no_identity_on_a_public_route(capsys: pytest.CaptureFixture[str]) -> None:
    event = catalogue_event("rest-request", None)
    response: Any = authorizer().decide(event)
    assert response["principalId"] == "unauthenticated"
    assert response["context"] == {"request_id": request_id_of(event)}
    assert denials(capsys.readouterr().out) == []


def test_appsync_caches_nothing_and_accepts_a_token_with_or_without_its_scheme() -> None:
    for written in (token(), f"Bearer {token()}"):
        response = authorizer().decide(authorizer_event("appsync", written))
        assert (response["isAuthorized"], response["ttlOverride"]) == (True, 0)


def test_a_failure_of_the_authorizer_is_a_500_and_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        scheme = "bearer"

        def authenticate(self, value: str, *, fetch: bool = True) -> Principal:
            raise ZeroDivisionError(value)

    for shape in RECORDED:
        broken = Authorizer(Credentials(Broken()), rules())
        event = authorizer_event(shape, token())
        assert client_status(shape, event, lambda broken=broken, event=event: broken.decide(event)) == 500  # type: ignore[misc]
        [line] = log_lines(capsys.readouterr().out)
        assert (line["level"], line["message"]) == ("ERROR", "no decision")
        assert token() not in json.dumps(line)


def test_a_denial_is_logged_with_its_values_but_no_part_of_the_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = token(aud="billing-api")
    with pytest.raises(Exception, match=r"\AUnauthorized\Z"):
        authorizer().decide(authorizer_event("http-2.0", sent))

    out = capsys.readouterr().out
    [line] = denials(out)
    wanted = {"check": "audience", "reason": "wrong_audience", "expected": ["tenantgate-api"], "actual": "billing-api"}
    assert line["context"] | wanted == line["context"]
    assert not any(part in out for part in sent.split("."))


def test_a_callers_own_request_id_is_logged_next_to_the_gateways(capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event("http-2.0", None)
    event["headers"]["x-request-id"] = "checkout-0001"
    with pytest.raises(Exception, match=r"\AUnauthorized\Z"):
        authorizer().decide(event)
    [line] = denials(capsys.readouterr().out)
    assert line["request_id"] == "checkout-0001"
    assert line["context"]["gateway_request_id"] == request_id_of(event)


def test_a_websocket_is_allowed_or_denied_its_own_route() -> None:
    for scope, effect in (("orders:read", "Allow"), ("other", "Deny")):
        event = authorizer_event("websocket", token(scope=scope))
        response: Any = authorizer().decide(event)
        assert response["policyDocument"]["Statement"] == [
            {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
        ]
