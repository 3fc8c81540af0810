"""`tenantgate rules check`: unsafe integrations are refused, with file, line and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT

RULES = """\
version = 1
[[api]]
name = "orders"
ids = ["*"]
[[api.route]]
route = "GET /orders"
[[api.route]]
route = "GET /orders/{id}"
[[api.route]]
route = "POST /orders"
scopes = ["orders:write"]
"""
ANOTHER = "[[api]]\nname='b'\nids=['b']\n[[api.route]]\nroute='GET /'"
ITEMS = '[[api.route]]\nroute = "GET /orders/{id}/items"\n'

SAM = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  AuthorizerArn: { Type: String }
  Seconds: { Type: Number, Default: 60 }
Resources:
  Api:
    Type: AWS::Serverless::KIND
    Properties:
      Auth:
        DefaultAuthorizer: Gate
        Authorizers:
          Gate:
            FunctionArn: !Ref AuthorizerArn
SETTINGS
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        List: { Type: EVENT, Properties: { Method: get, Path: /orders, IDKEY: !Ref Api } }
        One: { Type: EVENT, Properties: { Method: GET, Path: "/orders/{id}", IDKEY: !Ref Api } }
MORE
"""


def sam(kind: str, *settings: str, more: tuple[str, ...] = ()) -> str:
    event, key = ("Api", "RestApiId") if kind == "Api" else ("HttpApi", "ApiId")
    text = SAM.replace("KIND", kind).replace("SETTINGS", "\n".join(" " * 12 + line for line in settings))
    text = text.replace("MORE", "\n".join(" " * 8 + line for line in more))
    return text.replace("EVENT", event).replace("IDKEY", key)


def http(*identity: str, more: tuple[str, ...] = ()) -> str:
    return sam("HttpApi", 'AuthorizerPayloadFormatVersion: "2.0"', "EnableSimpleResponses: true", *identity, more=more)


def event(kind: str, method: str, path: str) -> str:
    key = "RestApiId" if kind == "Api" else "ApiId"
    return f'More: {{ Type: {kind}, Properties: {{ Method: {method}, Path: "{path}", {key}: !Ref Api }} }}'


def rest(*settings: str, more: tuple[str, ...] = ()) -> str:
    return sam("Api", "FunctionPayloadType: REQUEST", *settings, more=more)


class Outcome:
    def __init__(self, folder: Path, rules: str, template: str | None, *arguments: str) -> None:
        (folder / "rules.toml").write_text(rules)
        given = ["rules", "check", str(folder / "rules.toml"), *arguments]
        if template is not None:
            (folder / "template.yaml").write_text(template)
            given += ["--template", str(folder / "template.yaml")]
        result = CliRunner().invoke(app, given)
        self.code = result.exit_code
        self.text = result.output.replace(f"{folder}/", "")
        self.lines = [int(line) for line in re.findall(r"✗ \S+\.\w+:(\d+): ", self.text)]


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(http("Identity: { ReauthorizeEvery: 0 }"), id="http-not-cached"),
        pytest.param(http(), id="http-without-identity-source-can-t-be-cached"),
        pytest.param(http("Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 60 }"),
                     id="http-cached-by-route"),
        pytest.param(http("Identity: { Headers: [authorization], Context: [httpMethod, path], ReauthorizeEvery: 60 }"),
                     id="http-cached-by-path"),
        pytest.param(sam("HttpApi", 'AuthorizerPayloadFormatVersion: "2.0"',
                         "Identity: { Headers: [Authorization], ReauthorizeEvery: 300 }"), id="http-policy-cached"),
        pytest.param(rest("Identity: { Headers: [Authorization] }"), id="rest-cached-by-default"),
        pytest.param(rest("Identity: { ReauthorizeEvery: 0 }"), id="rest-not-cached"),
        pytest.param(sam("Api"), id="rest-token"),
        pytest.param(sam("Api", "Identity: { Header: Authorization, ReauthorizeEvery: !Ref Seconds }"),
                     id="rest-token-with-a-parameter"),
    ],
)  # fmt: skip
def test_safe_integrations_pass(tmp_path: Path, template: str) -> None:
    outcome = Outcome(tmp_path, RULES, template)

    assert (outcome.code, outcome.lines) == (0, []), outcome.text
    assert "template.yaml: 1 authorizer ✓" in outcome.text


@pytest.mark.parametrize(
    ("rules", "template", "line", "problem", "mend"),
    [
        pytest.param(
            RULES,
            http("Identity:", "  Headers: [Authorization]", "  ReauthorizeEvery: 60"),
            18,
            "each a yes or no to one route",
            "add $context.routeKey to the identity source",
            id="simple-cached-without-the-route",
        ),
        pytest.param(
            RULES,
            http("Identity:", "  Context: [routeKey]", "  ReauthorizeEvery: 60"),
            18,
            "one caller's answer would be another's",
            "add the header Authorization",
            id="cached-without-the-credential",
        ),
        pytest.param(
            RULES,
            http("Identity: { Headers: [Authorization] }"),
            16,
            "can't be told from here",
            "ReauthorizeEvery: 0",
            id="http-that-doesn-t-say",
        ),
        pytest.param(
            RULES,
            http("Identity: { Headers: [Authorization], ReauthorizeEvery: !ImportValue x }"),
            16,
            "can't be told from here",
            "ReauthorizeEvery: 0",
            id="known-after-deployment-alone",
        ),
        pytest.param(
            RULES,
            http(
                "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 1 }",
                more=(event("HttpApi", "ANY", "/{proxy+}"),),
            ),
            16,
            "requests to its route ANY /{proxy+} come under several rules",
            "put $context.path into the identity source",
            id="one-route-of-several-rules",
        ),
        pytest.param(
            RULES,
            http(
                "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 1 }",
                more=("Rest: { Type: HttpApi, Properties: { ApiId: !Ref Api } }",),
            ),
            16,
            "its route $default come under several rules",
            "put $context.path into the identity source",
            id="default-route",
        ),
        pytest.param(
            RULES + ITEMS,
            rest("Identity: { Headers: [Authorization] }"),
            15,
            'no policy can allow "GET /orders/{id}" (rules.toml:8) and "GET /orders/{id}/items" (rules.toml:13)',
            "context.path and context.httpMethod into the identity source, or promise every_route_listed",
            id="policy-that-can-t-be",
        ),
        pytest.param(
            RULES + ITEMS,
            sam("Api"),
            12,
            "without allowing more",
            "ReauthorizeEvery: 0",
            id="token-policy-that-can-t-be",
        ),
        pytest.param(
            RULES + "max_auth_age_seconds = 60\n",
            rest("Identity: { Headers: [Authorization] }"),
            15,
            'past the max_auth_age_seconds of "POST /orders" (rules.toml:10)',
            "don't cache",
            id="age",
        ),
        pytest.param(
            RULES + "".join(f'[[api.route]]\nroute = "GET /{"x" * 60}{n}"\n' for n in range(60)),
            rest("Identity: { Headers: [Authorization] }"),
            15,
            "larger than API Gateway takes",
            "don't cache",
            id="policy-too-large",
        ),
        pytest.param(
            RULES,
            rest("Identity: { ReauthorizeEvery: 0 }", more=(event("Api", "put", "/orders"),)),
            22,
            "PUT /orders stands behind authorizer Gate of Api, and no rule takes it",
            'add [[api.route]] route = "PUT /orders"',
            id="route-without-a-rule",
        ),
        pytest.param(
            RULES.replace('ids = ["*"]', 'ids = ["*"]\nevery_route_listed = true'),
            rest("Identity: { ReauthorizeEvery: 0 }", more=(event("Api", "get", "/{proxy+}"),)),
            22,
            "no rule takes all its GET requests, though the rules promise every_route_listed",
            "[[api.route]]",
            id="broken-promise",
        ),
        pytest.param(
            RULES.replace("scopes = ['orders:write']", ""),
            rest("Identity: { Headers: [Authorization], ReauthorizeEvery: 0 }").replace(
                "get, Path: /orders", "get, Path: /status"
            ),
            20,
            "GET /status",
            "GET /status",
            id="another-path",
        ),
        pytest.param(
            RULES.replace('"GET /orders"', '"GET /orders"\npublic = true'),
            rest("Identity: { Headers: [Authorization], ReauthorizeEvery: 0 }"),
            12,
            '"GET /orders" (rules.toml:6) can\'t be public',
            "Authorizer: NONE",
            id="public-behind-an-identity-source",
        ),
        pytest.param(
            RULES.replace('"*"', '"a1b2c3", "container"') + ANOTHER,
            rest("Identity: { ReauthorizeEvery: 0 }"),
            12,
            "guards Api, which has no rules",
            "--api NAME",
            id="api-without-rules",
        ),
    ],
)
def test_unsafe_integrations_are_refused(
    tmp_path: Path, *, rules: str, template: str, line: int, problem: str, mend: str
) -> None:
    outcome = Outcome(tmp_path, rules, template)

    assert outcome.code == 1
    assert line in outcome.lines, outcome.text
    assert problem in outcome.text
    assert mend in outcome.text


BY_ROUTE = "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 1 }"
REST_OF_THEM = '[[api.route]]\nroute = "GET /orders/{path+}"\n'


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param("", 0, id="the-same"),
        pytest.param('scopes = ["orders:all"]', 1, id="something-else"),
        pytest.param('issuers = ["https://one.example"]', 1, id="an-issuer"),
    ],
)
def test_a_wide_route_is_cached_only_if_it_asks_what_the_narrower_ones_ask(
    tmp_path: Path, asked: str, code: int
) -> None:
    # GET /orders/{id} has a route of its own, but API Gateway gives /orders/1/ and /orders/1;x to the wider one.
    wide = http(BY_ROUTE, more=(event("HttpApi", "GET", "/orders/{path+}"),))
    outcome = Outcome(tmp_path, RULES + REST_OF_THEM + asked + "\n", wide)

    assert outcome.code == code, outcome.text
    if code:
        assert "requests to its route GET /orders/{path+} come under several rules" in outcome.text
        assert "put $context.path into the identity source" in outcome.text


@pytest.mark.parametrize(
    ("rule", "route"),
    [
        pytest.param(ITEMS + 'roles = ["clerk"]\n', "GET /orders/{path+}", id="no-route-of-its-own"),
        pytest.param('[[api.route]]\nroute = "ANY /orders/{id}"\n', "ANY /orders/{path+}", id="route-of-one-method"),
        pytest.param(
            ITEMS + '[[api.route]]\nroute = "GET /orders/open/"\npublic = true\n',
            "GET /orders/{id}",
            id="a-slash-at-the-end",
        ),
        pytest.param(
            '[[api.route]]\nroute = "ANY /files/{path+}"\n'
            '[[api.route]]\nroute = "GET /files/secret"\nscopes = ["admin"]\n',
            "HEAD /files/{path+}",
            id="head-is-held-to-the-rule-for-get",
        ),
    ],
)
def test_a_rule_that_a_wide_route_still_meets_is_found(tmp_path: Path, rule: str, route: str) -> None:
    method, _, path = route.partition(" ")
    outcome = Outcome(tmp_path, RULES + REST_OF_THEM + rule, http(BY_ROUTE, more=(event("HttpApi", method, path),)))

    assert outcome.code == 1
    assert f"requests to its route {route} come under several rules" in outcome.text


def test_promised_list_of_routes_lets_policies_be_cached(tmp_path: Path) -> None:
    rules = RULES.replace('ids = ["*"]', 'ids = ["*"]\nevery_route_listed = true') + ITEMS

    assert Outcome(tmp_path, rules, rest("Identity: { Headers: [Authorization] }")).code == 0


CLOUDFORMATION = """\
Resources:
  Api: { Type: AWS::ApiGatewayV2::Api, Properties: { ProtocolType: HTTP } }
  Gate:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      AuthorizerType: REQUEST
      AuthorizerPayloadFormatVersion: "2.0"
      EnableSimpleResponses: true
      IdentitySource: [$request.header.Authorization]
      AuthorizerResultTtlInSeconds: 60
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: { ApiId: !Ref Api, RouteKey: GET /orders, AuthorizationType: CUSTOM, AuthorizerId: !Ref Gate }
  Rest: { Type: AWS::ApiGateway::RestApi }
  RestGate:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Rest
      Type: REQUEST
      IdentitySource: method.request.querystring.key
  Jwt: { Type: AWS::ApiGatewayV2::Authorizer, Properties: { ApiId: !Ref Api, AuthorizerType: JWT } }
"""
OPENAPI = """\
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        components:
          securitySchemes:
            Gate:
              type: apiKey
              x-amazon-apigateway-authorizer:
                type: request
                authorizerPayloadFormatVersion: "2.0"
                enableSimpleResponses: true
                identitySource: $request.header.Authorization
                authorizerResultTtlInSeconds: 5
"""


def test_plain_cloudformation_is_read_too(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path, RULES, CLOUDFORMATION)

    assert outcome.lines == [11, 18]
    assert "authorizer Gate of Api caches answers for 60 s, each a yes or no" in outcome.text
    assert "authorizer RestGate of Rest caches answers for 300 s without the credential" in outcome.text


def test_openapi_definitions_are_read_too(tmp_path: Path) -> None:
    assert Outcome(tmp_path, RULES, OPENAPI).lines == [15]


def test_broken_rules_are_told_line_by_line(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path, RULES.replace("GET", "GOT").replace("scopes", "scope"), None)

    assert (outcome.code, outcome.lines) == (1, [6, 8, 11])
    assert '✗ rules.toml:11: "scope" is not a known key; did you mean scopes?' in outcome.text


def test_rules_can_be_named_for_an_api_without_an_id_yet(tmp_path: Path) -> None:
    rules = RULES.replace('"*"', '"a1b2c3"') + ANOTHER
    template = rest("Identity: { ReauthorizeEvery: 0 }")

    assert Outcome(tmp_path, rules, template).code == 1
    assert Outcome(tmp_path, rules, template, "--api", "orders").code == 0
    assert 'no [[api]] has the name "x"' in Outcome(tmp_path, rules, template, "--api", "x").text


@pytest.mark.parametrize("template", ["a: [", "Resources: 1", "Resources: {}"])
def test_template_that_can_t_be_checked_is_not_passed(tmp_path: Path, template: str) -> None:
    assert Outcome(tmp_path, RULES, template).code == 1


def test_own_template_and_example_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ROUTE_RULES_FILE", raising=False)
    example = "examples/guarded_api"

    for arguments in (
        ["--template", "template.yaml"],
        [f"{example}/rules.toml", "--template", f"{example}/template.yaml"],
    ):
        result = CliRunner().invoke(app, ["rules", "check", *arguments])
        assert result.exit_code == 0, result.output


def test_json_of_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    result = CliRunner().invoke(app, ["rules", "json", str(tmp_path / "rules.toml")])
    (tmp_path / "rules.json").write_text(result.output)

    assert CliRunner().invoke(app, ["rules", "check", str(tmp_path / "rules.json")]).exit_code == 0
    assert CliRunner().invoke(app, ["rules", "json", str(tmp_path / "nothing")]).exit_code == 1
