"""The REST APIs that the gateway reads from a SAM template, checked against SAM's own rules where it matters."""

from pathlib import Path

import pytest

from lambda_gateway.model import Api, GatewayResponse, Kind, Payload, TemplateError
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.project import REST_HEAD, api_event, function_resource, write_project

NOTHING = "def lambda_handler(event, context): pass"
AUTH = """\
Auth:
  DefaultAuthorizer: Gate
  Authorizers:
    Gate:
      FunctionArn: !GetAtt Guard.Arn
"""


def rest(properties: str = "", *functions: str) -> str:
    lines = "".join(f"      {line}\n" for line in properties.splitlines())
    return f"{REST_HEAD}{lines}" + "".join(functions) + function_resource("Guard", "guard")


def read(folder: Path, template: str) -> Api:
    (api,) = read_template(write_project(folder, template, {"hello": NOTHING, "guard": NOTHING})).apis
    return api


HELLO = function_resource("Hello", "hello", api_event("get", "/hello/{name}"))


def test_reads_routes_and_the_stage(tmp_path: Path) -> None:
    api = read(tmp_path, rest("Variables: { color: blue }", HELLO))
    (route,) = api.routes
    assert (api.kind, api.name, api.stage, api.base_path) == (Kind.REST, "RestApi", "prod", "/prod")
    assert (route.key, route.function, route.timeout) == ("GET /hello/{name}", "Hello", 29.0)
    assert api.stage_variables == {"color": "blue"}


def test_events_without_an_api_belong_to_sams_implicit_one(tmp_path: Path) -> None:
    event = "Events: { A: { Type: Api, Properties: { Path: /a, Method: get } } }\n"
    api = read(tmp_path, "Resources:\n" + function_resource("Hello", "hello", event))
    assert (api.kind, api.name, api.stage) == (Kind.REST, "ServerlessRestApi", "Prod")


def test_an_authorizers_defaults_are_token_and_five_minutes(tmp_path: Path) -> None:
    gate = read(tmp_path, rest(AUTH, HELLO)).authorizers["Gate"]
    assert (gate.payload, gate.ttl, gate.simple) == (Payload.TOKEN, 300, False)
    assert gate.identity_sources == ("method.request.header.Authorization",)
    assert gate.validation is None


def test_reads_a_token_authorizer(tmp_path: Path) -> None:
    identity = "      Identity: { Header: X-Token, ValidationExpression: '^Bearer .+$', ReauthorizeEvery: 60 }\n"
    gate = read(tmp_path, rest(AUTH + identity, HELLO)).authorizers["Gate"]
    assert (gate.identity_sources, gate.ttl) == (("method.request.header.X-Token",), 60)
    assert gate.validation is not None
    assert gate.validation.pattern == "^Bearer .+$"


def test_reads_a_request_authorizer(tmp_path: Path) -> None:
    more = """\
      FunctionPayloadType: REQUEST
      Identity:
        Headers: [Authorization, X-Tenant]
        QueryStrings: [key]
        Context: [resourcePath]
        StageVariables: [color]
        ReauthorizeEvery: 3600
"""
    gate = read(tmp_path, rest(AUTH + more, HELLO)).authorizers["Gate"]
    assert (gate.payload, gate.ttl, gate.function) == (Payload.REQUEST, 3600, "Guard")
    assert gate.identity_sources == (
        "method.request.header.Authorization",
        "method.request.header.X-Tenant",
        "method.request.querystring.key",
        "stageVariables.color",
        "context.resourcePath",
    )


def test_the_default_authorizer_guards_every_route_that_doesnt_opt_out(tmp_path: Path) -> None:
    opened = function_resource("Open", "hello", api_event("get", "/open", ", Auth: { Authorizer: NONE }"))
    assert [route.authorizer for route in read(tmp_path, rest(AUTH, HELLO, opened)).routes] == ["Gate", None]


def test_reads_gateway_responses(tmp_path: Path) -> None:
    given = """\
GatewayResponses:
  UNAUTHORIZED:
    StatusCode: 401
    ResponseParameters:
      Headers: { WWW-Authenticate: "'Bearer'" }
    ResponseTemplates:
      application/json: '{"a":$context.error.messageString}'
  DEFAULT_5XX: {}
"""
    assert read(tmp_path, rest(given, HELLO)).gateway_responses == {
        "UNAUTHORIZED": GatewayResponse(
            401, {"WWW-Authenticate": "'Bearer'"}, {"application/json": '{"a":$context.error.messageString}'}
        ),
        "DEFAULT_5XX": GatewayResponse(),
    }


CORS = """\
Cors:
  AllowOrigin: "'https://app.example.com'"
  AllowHeaders: "'Authorization'"
  MaxAge: "'600'"
  AllowCredentials: true
"""


def preflight(api: Api) -> dict[str, str]:
    (route,) = (route for route in api.routes if route.method == "OPTIONS")
    return dict(route.mock_headers or ())


def test_cors_gives_every_path_an_options_method(tmp_path: Path) -> None:
    other = function_resource("Other", "hello", api_event("post", "/hello/{name}"))
    assert preflight(read(tmp_path, rest(CORS, HELLO, other))) == {
        "access-control-allow-origin": "https://app.example.com",
        "access-control-allow-headers": "Authorization",
        "access-control-allow-methods": "GET,OPTIONS,POST",
        "access-control-max-age": "600",
        "access-control-allow-credentials": "true",
    }


def test_cors_as_one_origin(tmp_path: Path) -> None:
    every = function_resource("Other", "hello", api_event("any", "/any"))
    assert preflight(read(tmp_path, rest("Cors: \"'*'\"", every))) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT",
    }


@pytest.mark.parametrize(("flag", "guard"), [("", "Gate"), ("  AddDefaultAuthorizerToCorsPreflight: false\n", None)])
def test_the_default_authorizer_guards_preflights_unless_disabled(tmp_path: Path, flag: str, guard: str | None) -> None:
    api = read(tmp_path, rest(AUTH + flag + CORS, HELLO))
    assert [route.authorizer for route in api.routes] == ["Gate", guard]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param(rest("DefinitionBody: {}"), "OpenAPI definitions are not supported", id="openapi"),
        pytest.param(
            rest(AUTH + "      Identity: { ReauthorizeEvery: 3601 }"), "must be 0 to 3600", id="cached-too-long"
        ),
        pytest.param(rest(AUTH + "      FunctionPayloadType: JWT"), "must be TOKEN or REQUEST", id="unknown-payload"),
        pytest.param(
            rest(AUTH + "      FunctionPayloadType: REQUEST"), "needs an identity source", id="cache-without-identity"
        ),
        pytest.param(
            rest(AUTH + "      FunctionPayloadType: REQUEST\n      Identity: { Context: [nothing] }"),
            "context.nothing: requests have no such value",
            id="unknown-identity",
        ),
        pytest.param(
            rest(AUTH + "      Identity: { ValidationExpression: '(' }"), "ValidationExpression", id="bad-expression"
        ),
        pytest.param(rest("GatewayResponses: { TEAPOT: {} }"), "no such response type", id="unknown-response"),
        pytest.param(rest("Cors: '*'", HELLO), "single quotes", id="cors-without-quotes"),
        pytest.param(rest("Cors: { AllowedOrigin: x }", HELLO), "SAM doesn't know AllowedOrigin", id="cors-misspelt"),
        pytest.param(
            rest("Cors: { AllowCredentials: true }", HELLO), "needs an origin by name", id="cors-any-with-credentials"
        ),
        pytest.param(
            rest("Auth: { ResourcePolicy: { CustomStatements: [] , X: 1 } }"), "emulated", id="resource-policy"
        ),
        pytest.param(
            rest("", function_resource("H", "hello", api_event("get", "/a", ", Auth: { Authorizer: Missing }"))),
            "authorizer Missing doesn't exist",
            id="unknown-authorizer",
        ),
        pytest.param(
            rest("Auth: { Authorizers: { Pool: { UserPoolArn: x } } }"), "only Lambda authorizers", id="cognito"
        ),
    ],
)
def test_reports_what_is_not_supported(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        read(tmp_path, template)
