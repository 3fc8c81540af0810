"""The responses that a REST API generates itself: API Gateway's defaults, and a template's customizations."""

import json

import pytest

from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, GatewayResponse, Kind, Route
from lambda_gateway.responses import gateway_responses as types
from lambda_gateway.responses.gateway_responses import Type, respond

ROUTE = Route("GET", "/orders/{id}", function="F")
JSON = "application/json"


def responded(
    kind: Type, given: dict[str, GatewayResponse] | None = None, **context: object
) -> tuple[int, bytes, dict[str, str]]:
    api = Api("It", (), {}, kind=Kind.REST, stage="prod", gateway_responses=given or {})
    request = Request("GET", "/orders/1", "", [("x-a", "1")], request_id="r-1")
    response = respond(kind, api, request, ROUTE, context)
    return response.status, response.body, dict(response.headers)


@pytest.mark.parametrize(
    ("kind", "status", "body", "error"),
    [
        (types.UNAUTHORIZED, 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        (
            types.EXPLICIT_DENY,
            403,
            {"Message": "User is not authorized to access this resource with an explicit deny"},
            "AccessDeniedException",
        ),
        (
            types.IMPLICIT_DENY,
            403,
            {"Message": "User is not authorized to access this resource"},
            "AccessDeniedException",
        ),
        (types.AUTHORIZER_CONFIGURATION_ERROR, 500, {"message": None}, "AuthorizerConfigurationException"),
        (types.MISSING_TOKEN, 403, {"message": "Missing Authentication Token"}, "MissingAuthenticationTokenException"),
        (types.BAD_INTEGRATION, 502, {"message": "Internal server error"}, "InternalServerErrorException"),
        (types.INTEGRATION_TIMEOUT, 504, {"message": "Endpoint request timed out"}, "GatewayTimeoutException"),
        (types.NO_STAGE, 403, {"message": "Forbidden"}, "ForbiddenException"),
    ],
)
def test_defaults_of_api_gateway(kind: Type, status: int, body: object, error: str) -> None:
    sent_status, sent_body, headers = responded(kind)
    assert (sent_status, json.loads(sent_body)) == (status, body)
    assert headers == {"content-type": JSON, "x-amzn-errortype": error}


def test_status_headers_and_template_of_a_type() -> None:
    given = GatewayResponse(
        status=418,
        headers={"WWW-Authenticate": "'Bearer'", "X-Id": "context.requestId", "X-A": "method.request.header.X-A"},
        templates={
            JSON: '{"error":$context.error.messageString,"id":"$context.requestId","of":"$context.resourcePath"}'
        },
    )
    status, body, headers = responded(types.UNAUTHORIZED, {"UNAUTHORIZED": given})
    assert status == 418
    assert json.loads(body) == {"error": "Unauthorized", "id": "r-1", "of": "/orders/{id}"}
    assert headers["www-authenticate"] == "Bearer"
    assert (headers["x-id"], headers["x-a"]) == ("r-1", "1")


def test_a_template_sees_the_authorizers_context() -> None:
    template = '{"code":"$context.authorizer.code","missing":"$context.authorizer.nothing","ok":$context.authorizer.ok}'
    _, body, _ = responded(
        types.EXPLICIT_DENY, {"ACCESS_DENIED": GatewayResponse(templates={JSON: template})}, code="AUTH_010", ok=True
    )
    assert json.loads(body) == {"code": "AUTH_010", "missing": "", "ok": True}


def test_a_class_customizes_the_types_without_their_own_customization() -> None:
    given = {
        "DEFAULT_4XX": GatewayResponse(headers={"X-Family": "'4'"}),
        "DEFAULT_5XX": GatewayResponse(headers={"X-Family": "'5'"}),
        "UNAUTHORIZED": GatewayResponse(headers={"X-Family": "'own'"}),
    }
    assert responded(types.IMPLICIT_DENY, given)[2]["x-family"] == "4"
    assert responded(types.AUTHORIZER_CONFIGURATION_ERROR, given)[2]["x-family"] == "5"
    assert responded(types.UNAUTHORIZED, given)[2]["x-family"] == "own"


def test_customized_without_a_template_the_body_is_the_default_one() -> None:
    status, body, _ = responded(types.IMPLICIT_DENY, {"DEFAULT_4XX": GatewayResponse(headers={"X-A": "'b'"})})
    assert (status, json.loads(body)) == (403, {"message": "User is not authorized to access this resource"})


def test_a_path_without_its_stage_has_no_customization() -> None:
    given = {"DEFAULT_4XX": GatewayResponse(status=418)}
    assert responded(types.NO_STAGE, given)[0] == 403
