"""Authorizers in plain CloudFormation and OpenAPI definitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.rules_check.run import RULES, Outcome

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
    assert "authorizer Gate of Api caches results for 60 s, each of which is for one route" in outcome.text
    assert "authorizer RestGate of Rest caches results for 300 s without the credential" in outcome.text


def test_openapi_definitions_are_read_too(tmp_path: Path) -> None:
    assert Outcome(tmp_path, RULES, OPENAPI).lines == [15]


@pytest.mark.parametrize("template", ["a: [", "Resources: 1", "Resources: {}"])
def test_a_template_without_readable_authorizers_fails(tmp_path: Path, template: str) -> None:
    assert Outcome(tmp_path, RULES, template).code == 1


WEBSOCKET = """\
Resources:
  Chat: { Type: AWS::ApiGatewayV2::Api, Properties: { ProtocolType: WEBSOCKET } }
  Gate:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties: { ApiId: !Ref Chat, AuthorizerType: REQUEST, IdentitySource: [route.request.header.Authorization] }
  Connect:
    Type: AWS::ApiGatewayV2::Route
    Properties: { ApiId: !Ref Chat, RouteKey: $connect, AuthorizationType: CUSTOM, AuthorizerId: !Ref Gate }
"""
SAM_WEBSOCKET = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Chat:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Auth:
        AuthType: CUSTOM
        AuthArn: !ImportValue tenantgate-AuthorizerArn
        IdentitySource: [route.request.header.Authorization]
      Routes:
        $connect: { FunctionArn: x }
        say: { FunctionArn: x }
"""
CONNECT = '[[api]]\nname = "chat"\nids = ["Chat"]\n[[api.route]]\nroute = "$connect"\n'
UNCOVERED = "and no rule matches it: all its requests would be denied\n"
OPEN = "guards no route: every caller may connect\n"
FIX_OPEN = "  → set AuthorizationType: CUSTOM and AuthorizerId: !Ref Gate on the route $connect\n"


def chat_rules(rule: str) -> str:
    return "version = 1\n" + CONNECT.replace('route = "$connect"', rule)


@pytest.mark.parametrize(
    ("template", "rules", "words"),
    [
        (WEBSOCKET, chat_rules('route = "$connect"'), ""),
        (SAM_WEBSOCKET, chat_rules('route = "$connect"\nscopes = ["chat"]'), ""),
        (
            WEBSOCKET,
            chat_rules('route = "GET /"'),
            (
                f"✗ template.yaml:6: $connect is behind authorizer Gate of Chat, {UNCOVERED}"
                '  → add [[api.route]] route = "$connect" to the rules of "chat"\n'
            ),
        ),
        (
            SAM_WEBSOCKET,
            chat_rules('route = "GET /"'),
            (
                f"✗ template.yaml:12: $connect is behind authorizer ChatConnectAuthorizer of Chat, {UNCOVERED}"
                '  → add [[api.route]] route = "$connect" to the rules of "chat"\n'
            ),
        ),
        (
            WEBSOCKET.replace("AuthorizationType: CUSTOM", "AuthorizationType: NONE"),
            chat_rules('route = "$connect"'),
            f"✗ template.yaml:3: authorizer Gate of Chat {OPEN}{FIX_OPEN}",
        ),
        (
            WEBSOCKET,
            chat_rules('route = "$connect"\npublic = true'),
            (
                "✗ template.yaml:3: authorizer Gate of Chat has an identity source, and API Gateway itself returns 401 "
                'without its value: "$connect" (rules.toml:6) can\'t be public\n'
                "  → remove the authorizer from the route (Auth: { Authorizer: NONE }), or remove the identity source\n"
            ),
        ),
        (
            WEBSOCKET,
            chat_rules('route = "$connect"').replace("Chat", "other")
            + CONNECT.replace("Chat", "b").replace("chat", "b"),
            (
                "✗ template.yaml:3: authorizer Gate guards Chat, which has no rules: every request would be denied\n"
                '  → add "Chat" to the ids of an [[api]] in rules.toml, or name one with --api NAME\n'
            ),
        ),
    ],
    ids=["safe", "sam", "uncovered", "sam-uncovered", "open", "public", "no-rules"],
)
def test_websocket_apis(tmp_path: Path, template: str, rules: str, words: str) -> None:
    outcome = Outcome(tmp_path, rules, template)
    assert (outcome.code, "".join(outcome.text.splitlines(keepends=True)[1:])) == (
        1 if words else 0,
        words or "template.yaml: 1 authorizer ✓\n",
    )
