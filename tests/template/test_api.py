"""The HTTP API: the function and the authorizer of each route."""

import importlib
import json
import re

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from tenantgate.web import headers
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import Stack, function_folder

# Every route is in exactly one of these lists, so that adding a route includes a decision on its authorizer.
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
# Their responses are about the token itself, so they return exact error codes.
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


def test_code_and_template_have_the_same_routes(stack: Stack) -> None:
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
    # The built-in provider has one route for /idp, and routes requests itself.
    return re.sub(r"^\w+ /idp/.*", "ANY /idp/{proxy+}", key)


def test_integrations_use_payload_2(stack: Stack) -> None:
    versions = set(re.findall(r'"payloadFormatVersion": "([^"]*)"', json.dumps(stack.api["paths"])))

    assert versions == {"2.0"}


def test_the_authorizer_uses_simple_responses_and_is_never_cached(stack: Stack) -> None:
    authorizer = stack.api["components"]["securitySchemes"]["TenantgateAuthorizer"]["x-amazon-apigateway-authorizer"]

    assert authorizer["enableSimpleResponses"] is True
    assert authorizer["authorizerPayloadFormatVersion"] == "2.0"
    # A response that is cached by identity source would be reused on other routes, and outlive a revocation.
    assert authorizer["authorizerResultTtlInSeconds"] == 0
    # With an identity source, API Gateway would return its own 401 to requests without it.
    assert not authorizer["identitySource"]
    assert "AuthorizerFunction" in json.dumps(authorizer["authorizerUri"])


def test_cors_matches_the_allowed_origins_and_the_container(stack: Stack) -> None:
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
def test_api_gateway_may_invoke_each_function_only_for_this_api(stack: Stack, route: str) -> None:
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
