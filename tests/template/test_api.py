"""The HTTP API: the function and the authorizer of each route."""

import importlib
import json
import re

from fastapi import APIRouter
from fastapi.routing import APIRoute

from tenantgate.route_rules.file import read_rules
from tenantgate.route_rules.model import CONTAINER_API, OTHER_APIS
from tenantgate.web import headers
from tenantgate_cli.checks.structure.tree import same_path
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import ALIAS, TEMPLATE, ApiRoute, Stack, deployed_stack, function_folder

RULES = read_rules(str(ROOT / "functions" / "authorizer" / "rules.toml"))
# The rules decide which routes are public, and the structure check compares them with template.yaml. Here they are
# compared with the API that SAM translates it to.
PUBLIC = {same_path(rule.route) for rule in RULES.for_api(CONTAINER_API).rules if rule.public}
GUARDED = {same_path(rule.route) for rule in RULES.for_api(OTHER_APIS).rules}


def routes_of(stack: Stack) -> list[ApiRoute]:
    return [route for route in stack.routes if route.key != "$default"]


def test_a_route_is_behind_the_authorizer_unless_the_rules_make_it_public(stack: Stack) -> None:
    for route in routes_of(stack):
        key = same_path(route.key)
        assert (key in GUARDED, key in PUBLIC) == (bool(route.authorizers), not route.authorizers), route.key
    assert {route.authorizers for route in stack.routes} == {("TenantgateAuthorizer",), ()}
    assert any(route.authorizers for route in stack.routes)


def test_the_default_route_is_public_and_leads_to_the_function_for_unknown_routes(stack: Stack) -> None:
    [default] = [route for route in stack.routes if route.key == "$default"]

    assert (default.function, default.authorizers) == ("UnknownRouteFunction", ())


def test_code_and_api_have_the_same_routes(stack: Stack) -> None:
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

    assert {(function_folder(route.function), route.key) for route in routes_of(stack)} == in_code


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
    assert f"AuthorizerFunction{ALIAS}" in json.dumps(authorizer["authorizerUri"])


def test_cors_matches_the_allowed_origins_and_the_container() -> None:
    # SAM replaces the reference by the parameter's text, which CloudFormation then splits.
    origins = "https://app.example.com,https://admin.example.com"
    given = deployed_stack(TEMPLATE, ("AllowedOrigins", origins))
    condition, cors, otherwise = given.api["x-amazon-apigateway-cors"]["Fn::If"]

    assert condition == "HasOrigins"
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert cors["allowOrigins"] == {"Fn::Split": [",", origins]}
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
    # An HTTP API has no status of its authorizer.
    assert "$context.authorizer.status" not in written.values()


def test_the_access_log_has_the_authorizers_reasons(stack: Stack) -> None:
    (stage,) = stack.resources("AWS::ApiGatewayV2::Stage").values()
    written = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])

    assert {name: written[name] for name in ("reason", "error_code", "tenant_id")} == {
        name: f"$context.authorizer.{name}" for name in ("reason", "error_code", "tenant_id")
    }


def test_requests_are_throttled(stack: Stack) -> None:
    (stage,) = stack.resources("AWS::ApiGatewayV2::Stage").values()

    assert stage["Properties"]["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottlingRate"},
        "ThrottlingBurstLimit": {"Ref": "ThrottlingBurst"},
    }


def test_api_gateways_own_endpoint_can_be_disabled(stack: Stack) -> None:
    (server,) = stack.api["servers"]

    assert server["x-amazon-apigateway-endpoint-configuration"]["disableExecuteApiEndpoint"] == {
        "Fn::If": ["DisablesExecuteApi", True, False]
    }


def test_a_domain_has_the_given_certificate_or_a_new_one(stack: Stack) -> None:
    (configuration,) = stack.properties("ApiDomain")["DomainNameConfigurations"]

    assert configuration["CertificateArn"] == {
        "Fn::If": ["HasCertificate", {"Ref": "CertificateArn"}, {"Ref": "Certificate"}]
    }
    assert configuration["SecurityPolicy"] == "TLS_1_2"
    (validation,) = stack.properties("Certificate")["DomainValidationOptions"]
    assert validation["HostedZoneId"] == {"Ref": "HostedZoneId"}
    (stage,) = stack.resources("AWS::ApiGatewayV2::Stage")
    assert stack.properties("ApiDomainMapping") == {
        "ApiId": {"Ref": "HttpApi"},
        "DomainName": {"Ref": "ApiDomain"},
        "Stage": {"Ref": stage},
    }


def test_api_gateway_may_invoke_each_function_only_for_this_api(stack: Stack) -> None:
    for route in stack.routes:
        permissions = [
            body["Properties"]
            for body in stack.resources("AWS::Lambda::Permission").values()
            if body["Properties"]["FunctionName"] == {"Ref": f"{route.function}{ALIAS}"}
        ]

        assert permissions, route.key
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
