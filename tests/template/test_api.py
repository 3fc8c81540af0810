"""The HTTP API: which route leads where, and who guards it."""

import importlib
import json
import re

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from tenantgate.web import headers
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import Stack, function_folder

# Every route stands on exactly one of these lists; whoever adds one decides here who guards it.
PUBLIC = {
    "GET /": "HomeFunction",
    "GET /api/v1/health/live": "HealthFunction",
    "GET /api/v1/health/ready": "HealthFunction",
    "GET /api/v1/auth/login": "AuthLoginFunction",
    "POST /api/v1/auth/callback": "AuthCallbackFunction",
    "GET /api/v1/auth/callback": "AuthCallbackFunction",
    "ANY /idp/{proxy+}": "IdentityProviderFunction",
    "$default": "UnknownRouteFunction",
}
# Their answer is about the token itself, so their own error codes must be exact.
SELF_VERIFYING = {
    "GET /api/v1/auth/validate": "AuthValidateFunction",
    "POST /api/v1/auth/logout": "AuthLogoutFunction",
}
BEHIND_THE_AUTHORIZER = {
    "GET /api/v1/auth/me": "AuthMeFunction",
}


def test_every_route_is_on_exactly_one_list(stack: Stack) -> None:
    listed = [*PUBLIC, *SELF_VERIFYING, *BEHIND_THE_AUTHORIZER]

    assert sorted(route.key for route in stack.routes) == sorted(listed)


def test_routes_lead_to_their_functions(stack: Stack) -> None:
    assert {route.key: route.function for route in stack.routes} == PUBLIC | SELF_VERIFYING | BEHIND_THE_AUTHORIZER


def test_the_authorizer_guards_its_list_and_nothing_else(stack: Stack) -> None:
    guarded = {route.key for route in stack.routes if route.authorizers}

    assert guarded == set(BEHIND_THE_AUTHORIZER)
    assert {route.authorizers for route in stack.routes if route.authorizers} == {("TenantgateAuthorizer",)}


def test_every_route_of_the_code_is_in_the_template_and_the_other_way_round(stack: Stack) -> None:
    in_code: set[tuple[str, str]] = set()
    for module in sorted(ROOT.glob("functions/*/routes.py")):
        folder = module.parent.name
        router = importlib.import_module(f"functions.{folder}.routes").router
        assert isinstance(router, APIRouter)
        for route in router.routes:
            assert isinstance(route, APIRoute)
            in_code |= {
                (folder, _template_key(f"{method} {route.path}")) for method in (route.methods or set()) - {"HEAD"}
            }

    in_template = {(function_folder(route.function), route.key) for route in stack.routes if route.key != "$default"}
    assert in_code == in_template


def _template_key(key: str) -> str:
    # The built-in provider has all of /idp; its own routes decide.
    return re.sub(r"^\w+ /idp/.*", "ANY /idp/{proxy+}", key)


def test_integrations_speak_payload_2(stack: Stack) -> None:
    versions = set(re.findall(r'"payloadFormatVersion": "([^"]*)"', json.dumps(stack.api["paths"])))

    assert versions == {"2.0"}


def test_the_authorizer_answers_simply_and_is_never_cached(stack: Stack) -> None:
    authorizer = stack.api["components"]["securitySchemes"]["TenantgateAuthorizer"]["x-amazon-apigateway-authorizer"]

    assert authorizer["enableSimpleResponses"] is True
    assert authorizer["authorizerPayloadFormatVersion"] == "2.0"
    # Cached by identity source, an answer for one route would be reused on another, and outlive a revocation.
    assert authorizer["authorizerResultTtlInSeconds"] == 0
    # With one, API Gateway itself would answer 401 to a request without it.
    assert not authorizer["identitySource"]
    assert "AuthorizerFunction" in json.dumps(authorizer["authorizerUri"])


def test_cors_is_the_allowed_origins_and_what_the_container_allows(stack: Stack) -> None:
    condition, cors, otherwise = stack.api["x-amazon-apigateway-cors"]["Fn::If"]

    assert condition == "HasOrigins"
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert cors["allowOrigins"] == {"Ref": "AllowedOrigins"}
    assert cors["allowCredentials"] is True
    assert set(cors["allowMethods"]) == set(headers.CORS_METHODS)
    assert {name.lower() for name in cors["allowHeaders"]} == set(headers.CORS_REQUEST_HEADERS)
    assert {name.lower() for name in cors["exposeHeaders"]} == set(headers.CORS_EXPOSED_HEADERS)
    assert cors["maxAge"] == headers.CORS_MAX_AGE


def test_the_access_log_is_json_without_query_strings_or_header_values(stack: Stack) -> None:
    (stage,) = stack.resources("AWS::ApiGatewayV2::Stage").values()
    written = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])

    assert written["request_id"] == "$context.requestId"
    assert not [value for value in written.values() if re.search(r"(?i)query|header|cookie|protocol|userAgent", value)]


@pytest.mark.parametrize("route", sorted(PUBLIC | SELF_VERIFYING | BEHIND_THE_AUTHORIZER))
def test_api_gateway_may_invoke_each_function_for_this_api_alone(stack: Stack, route: str) -> None:
    function = (PUBLIC | SELF_VERIFYING | BEHIND_THE_AUTHORIZER)[route]
    permissions = [
        body["Properties"]
        for body in stack.resources("AWS::Lambda::Permission").values()
        if body["Properties"]["FunctionName"] == {"Ref": function}
    ]

    assert permissions
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert "${__ApiId__}" in json.dumps(permission["SourceArn"])
        assert {"Ref": "HttpApi"} in _leaves(permission["SourceArn"])


def _leaves(value: object) -> list[object]:
    found: list[object] = [value]
    if isinstance(value, dict):
        for item in value.values():
            found += _leaves(item)
    elif isinstance(value, list):
        for item in value:
            found += _leaves(item)
    return found
