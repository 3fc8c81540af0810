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
