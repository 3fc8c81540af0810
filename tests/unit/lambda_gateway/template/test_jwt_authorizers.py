"""The JWT authorizers that the gateway reads from a template, and the APIs in CloudFormation's form that have one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_gateway.model import Api, Authorizer, ClaimRule, JwtAuthorizer, JwtIssuer, Kind, Payload, TemplateError
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.jwt_apis import plain_http, plain_rest, sam_http
from tests.fixtures.gateway.project import function_resource, write_project

ISSUER, AUDIENCE = "https://login.example.test/pool", "orders"
FORMS = {"sam": sam_http, "http": plain_http, "rest": plain_rest}
ADDITIONAL = "AdditionalClaims: [{ ClaimName: org, Format: SINGLE_STRING, Required: true, ExpectedValues: [org-1] }]"
LAMBDA_AUTHORIZER = """\
  Guarding:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Http
      Name: guarding
      AuthorizerType: REQUEST
      AuthorizerPayloadFormatVersion: "2.0"
      EnableSimpleResponses: true
      IdentitySource: [$request.header.Authorization]
      AuthorizerUri: !GetAtt Hello.Arn
  Guarded:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Http
      RouteKey: $default
      AuthorizationType: CUSTOM
      AuthorizerId: !Ref Guarding
      Target: !Sub integrations/${Integration}
"""


def read(folder: Path, template: str) -> Api:
    return read_template(write_project(folder, template, {"hello": "def lambda_handler(event, context): pass"})).api


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_each_form_gives_the_same_routes(tmp_path: Path, form: Callable[[str, str], str]) -> None:
    api = read(tmp_path, form(ISSUER, AUDIENCE))
    assert [(route.key, route.authorizer, route.scopes, route.function) for route in api.routes] == [
        ("GET /any", "Own", (), "Hello"),
        ("POST /write", "Own", ("orders:write",), "Hello"),
        ("GET /open", None, (), "Hello"),
    ]
    rest = api.kind is Kind.REST
    source = "method.request.header.Authorization" if rest else "$request.header.Authorization"
    algorithms = ("RS256",) if rest else ("RS256", "RS384", "RS512")
    assert api.jwt_authorizers == {"Own": JwtAuthorizer("Own", source, (JwtIssuer(ISSUER, (AUDIENCE,)),), algorithms)}


def test_a_rest_apis_stage_and_additional_claims(tmp_path: Path) -> None:
    api = read(tmp_path, plain_rest(ISSUER, AUDIENCE, ADDITIONAL))
    own = api.jwt_authorizers["Own"]
    assert own.issuers[0].claims == (ClaimRule("org", True, ("org-1",)),)
    assert (api.stage, api.base_path) == ("v1", "/v1")


def test_nested_resources_of_a_rest_api(tmp_path: Path) -> None:
    nested = plain_rest(ISSUER, AUDIENCE).replace(
        "ParentId: !GetAtt Rest.RootResourceId, PathPart: write", "ParentId: !Ref AnyResource, PathPart: '{id+}'"
    )
    assert [route.path for route in read(tmp_path, nested).routes] == ["/any", "/any/{id+}", "/open"]


def test_scopes_of_the_authorizer_apply_to_routes_without_their_own(tmp_path: Path) -> None:
    template = sam_http(ISSUER, AUDIENCE).replace(
        "            IdentitySource:", "            AuthorizationScopes: [a, b]\n            IdentitySource:"
    )
    assert [route.scopes for route in read(tmp_path, template).routes] == [("a", "b"), ("orders:write",), ()]


def test_both_kinds_of_authorizer_in_one_api(tmp_path: Path) -> None:
    api = read(tmp_path, plain_http(ISSUER, AUDIENCE) + LAMBDA_AUTHORIZER)
    assert api.authorizers["Guarding"] == Authorizer(
        "Guarding", "Hello", ("$request.header.Authorization",), 300, Payload.V2
    )
    assert (api.routes[-1].key, api.routes[-1].authorizer) == ("$default", "Guarding")


@pytest.mark.parametrize("issuer", ["http://localhost:3000/idp", "http://127.0.0.1:8080", "http://[::1]/x"])
def test_a_provider_on_this_machine_needs_no_tls(tmp_path: Path, issuer: str) -> None:
    own = read(tmp_path, sam_http(issuer, AUDIENCE)).jwt_authorizers["Own"]
    assert own.issuers[0].url == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "login.example.test",
        "http://login.example.test",
        "ftp://localhost",
        "https://",
        "https://login.example.test/?x=1",
        "https://login.example.test/#x",
        "https://user@login.example.test",
    ],
)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_any_other_issuer_is_refused(tmp_path: Path, issuer: str, form: Callable[[str, str], str]) -> None:
    with pytest.raises(TemplateError, match="must be an https URL"):
        read(tmp_path, form(issuer, AUDIENCE))


def test_apis_without_a_jwt_authorizer_are_not_served(tmp_path: Path) -> None:
    template = plain_http(ISSUER, AUDIENCE).replace("AuthorizerType: JWT", "AuthorizerType: REQUEST")
    template += "  Rest: { Type: AWS::ApiGateway::RestApi, Properties: { Name: x } }\n"
    path = write_project(tmp_path, template, {"hello": "def lambda_handler(event, context): pass"})
    assert [(api.name, api.type) for api in read_template(path).unserved] == [
        ("Rest", "AWS::ApiGateway::RestApi"),
        ("Http", "AWS::ApiGatewayV2::Api"),
    ]


@pytest.mark.parametrize(
    ("form", "given", "instead", "message"),
    [
        ("sam", "$request.header.Authorization", "$context.path", r"IdentitySource: \$context.path: must be like"),
        ("sam", '["orders"]', "[]", "Audience: needs at least one value"),
        ("sam", "Auth: { Authorizer: NONE }", "Auth: { Authorizer: NONE, AuthorizationScopes: [a] }", "only a JWT"),
        ("sam", "{ issuer:", "{ other:", "must be an https URL"),
        ("http", "StageName: $default", "StageName: live", r"only \$default is emulated"),
        ("http", 'PayloadFormatVersion: "2.0"', 'PayloadFormatVersion: "1.0"', "only 2.0 is emulated"),
        ("http", "AuthorizationType: JWT", "AuthorizationType: AWS_IAM", "only JWT, CUSTOM and NONE"),
        ("http", "AuthorizationType: JWT", "AuthorizationType: CUSTOM", "isn't the type of Own"),
        ("http", "AuthorizerId: !Ref Own", "AuthorizerId: !Ref Hello", "isn't an authorizer of this API"),
        ("http", "AuthorizationType: JWT", "AuthorizationType: NONE", "only a JWT authorizer checks scopes"),
        ("http", "RouteKey: GET /any", "RouteKey: GET any", "must be like GET /orders"),
        ("http", "IntegrationType: AWS_PROXY", "IntegrationType: HTTP_PROXY", "only AWS_PROXY"),
        ("http", "ProtocolType: HTTP", "ProtocolType: HTTP, Target: x", "Target: is not emulated"),
        ("rest", "DefaultAlgorithms: [RS256]", "DefaultAlgorithms: [HS256]", "HS256: must be of RS256"),
        ("rest", "DefaultAlgorithms: [RS256]", "DefaultAlgorithms: [none]", "none: must be of RS256"),
        ("rest", "DefaultAlgorithms: [RS256]", "DefaultAlgorithms: []", "needs at least one value"),
        ("rest", "Issuers:\n", "Other:\n", "needs at least one issuer"),
        ("rest", "method.request.header.A", "method.request.querystring.a", "must be like method.request.header"),
        (
            "rest",
            "Type: JWT\n      Id",
            "Type: JWT\n      AuthorizerResultTtlInSeconds: 60\n      Id",
            "no such property",
        ),
        ("rest", "AuthorizationType: NONE", "AuthorizationType: AWS_IAM", "only JWT and NONE"),
        ("rest", "Type: AWS_PROXY", "Type: MOCK", "only AWS_PROXY"),
        ("rest", "ResourceId: !Ref OpenResource", "ResourceId: !Ref Hello", "isn't a resource of this API"),
        ("rest", "!GetAtt Rest.RootResourceId", "!Ref AnyResource", "isn't a resource of this API"),
        (
            "rest",
            "Properties: { RestApiId: !Ref Rest, DeploymentId",
            "Properties: { RestApiId: x, DeploymentId",
            "has none",
        ),
    ],
)
def test_reports_what_is_not_supported(tmp_path: Path, form: str, given: str, instead: str, message: str) -> None:
    template = FORMS[form](ISSUER, AUDIENCE)
    assert given in template
    with pytest.raises(TemplateError, match=message):
        read(tmp_path, template.replace(given, instead))


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("[{ ClaimName: aud, Format: SINGLE_STRING }]", "aud: must name a claim that isn't checked anyway"),
        ("[{ ClaimName: org, Format: LIST }]", "LIST: must be SINGLE_STRING"),
        ("org", "must be a list"),
    ],
)
def test_additional_claims_that_api_gateway_refuses(tmp_path: Path, claims: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        read(tmp_path, plain_rest(ISSUER, AUDIENCE, f"AdditionalClaims: {claims}"))


def test_the_same_issuer_twice(tmp_path: Path) -> None:
    twice = plain_rest(ISSUER, AUDIENCE, f'\n          - {{ Issuer: "{ISSUER}", Audiences: [x] }}')
    with pytest.raises(TemplateError, match="an issuer is listed twice"):
        read(tmp_path, twice)


def test_a_lambda_authorizer_of_a_plain_rest_api(tmp_path: Path) -> None:
    template = plain_rest(ISSUER, AUDIENCE) + (
        "  Other: { Type: AWS::ApiGateway::Authorizer, Properties: { RestApiId: !Ref Rest, Type: TOKEN, Name: o } }\n"
    )
    with pytest.raises(TemplateError, match="TOKEN: only JWT"):
        read(tmp_path, template)


def test_functions_of_other_templates_are_unknown(tmp_path: Path) -> None:
    template = plain_http(ISSUER, AUDIENCE).replace("${Hello.Arn}", "x") + function_resource("Other", "hello")
    with pytest.raises(TemplateError, match="isn't a function of this template"):
        read(tmp_path, template)
