"""Unsafe integrations of the authorizer are reported with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.rules_check.run import ANOTHER, ITEMS, RULES, Outcome, event, http, rest, sam


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(http("Identity: { ReauthorizeEvery: 0 }"), id="http-not-cached"),
        pytest.param(http(), id="http-without-identity-source"),
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


V2 = """\
Resources:
  Api: { Type: AWS::ApiGatewayV2::Api, Properties: { ProtocolType: HTTP } }
  Gate:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      AuthorizerType: REQUEST
      EnableSimpleResponses: true
      IdentitySource: [$request.header.Cookie, $context.routeKey]
      AuthorizerResultTtlInSeconds: SECONDS
"""
V1 = """\
Resources:
  Api: { Type: AWS::ApiGateway::RestApi }
  Gate:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Api
      Type: REQUEST
      IdentitySource: method.request.header.authorization, method.request.header.cookie
      AuthorizerResultTtlInSeconds: SECONDS
"""
OPENAPI = """\
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      DefinitionBody:
        securityDefinitions:
          Gate:
            x-amazon-apigateway-authorizer:
              type: request
              identitySource: method.request.header.Cookie
              authorizerResultTtlInSeconds: SECONDS
"""


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(
            http("Identity: { Headers: [Cookie], Context: [routeKey], ReauthorizeEvery: SECONDS }"), id="http"
        ),
        pytest.param(http("Identity: { Headers: [COOKIE, Authorization], ReauthorizeEvery: SECONDS }"), id="http-both"),
        pytest.param(rest("Identity: { Headers: [cookie], ReauthorizeEvery: SECONDS }"), id="rest"),
        pytest.param(sam("Api", "Identity: { Header: Cookie, ReauthorizeEvery: SECONDS }"), id="rest-token"),
        pytest.param(V2, id="cloudformation-http"),
        pytest.param(V1, id="cloudformation-rest"),
        pytest.param(OPENAPI, id="openapi"),
    ],
)
def test_decisions_on_cookies_must_not_be_cached(tmp_path: Path, template: str) -> None:
    cached = Outcome(tmp_path, RULES, template.replace("SECONDS", "1"))
    assert cached.code == 1
    assert "caches results for 1 s of session cookies" in cached.text
    assert "another caller's result" not in cached.text
    uncached = Outcome(tmp_path, RULES, template.replace("SECONDS", "0"))
    assert (uncached.code, uncached.lines) == (0, []), uncached.text


def test_rest_apis_cache_decisions_on_cookies_by_default(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path, RULES, rest("Identity: { Headers: [Cookie] }"))
    assert "caches results for 300 s of session cookies" in outcome.text


@pytest.mark.parametrize(
    ("rules", "template", "line", "problem", "remedy"),
    [
        pytest.param(
            RULES,
            http("Identity:", "  Headers: [Authorization]", "  ReauthorizeEvery: 60"),
            18,
            "each of which is for one route",
            "add $context.routeKey to the identity source",
            id="simple-cached-without-the-route",
        ),
        pytest.param(
            RULES,
            http("Identity:", "  Context: [routeKey]", "  ReauthorizeEvery: 60"),
            18,
            "a caller would get another caller's result",
            "add the header Authorization",
            id="cached-without-the-credential",
        ),
        pytest.param(
            RULES,
            http("Identity: { Headers: [Authorization] }"),
            16,
            "its TTL is unknown here",
            "ReauthorizeEvery: 0",
            id="http-without-a-ttl",
        ),
        pytest.param(
            RULES,
            http("Identity: { Headers: [Authorization], ReauthorizeEvery: !ImportValue x }"),
            16,
            "its TTL is unknown here",
            "ReauthorizeEvery: 0",
            id="known-only-after-deployment",
        ),
        pytest.param(
            RULES,
            http(
                "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 1 }",
                more=(event("HttpApi", "ANY", "/{proxy+}"),),
            ),
            16,
            "several rules apply to requests for its route ANY /{proxy+}",
            "add $context.path to the identity source",
            id="one-route-of-several-rules",
        ),
        pytest.param(
            RULES,
            http(
                "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 1 }",
                more=("Rest: { Type: HttpApi, Properties: { ApiId: !Ref Api } }",),
            ),
            16,
            "several rules apply to requests for its route $default",
            "add $context.path to the identity source",
            id="default-route",
        ),
        pytest.param(
            RULES + ITEMS,
            rest("Identity: { Headers: [Authorization] }"),
            15,
            'no policy allows "GET /orders/{id}" (rules.toml:8) and "GET /orders/{id}/items" (rules.toml:13)',
            "add context.path and context.httpMethod to the identity source, or set every_route_listed",
            id="impossible-policy",
        ),
        pytest.param(
            RULES + ITEMS,
            sam("Api"),
            12,
            "without allowing more",
            "ReauthorizeEvery: 0",
            id="token-impossible-policy",
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
            "exceeds API Gateway's limit",
            "don't cache",
            id="policy-too-large",
        ),
        pytest.param(
            RULES,
            rest("Identity: { ReauthorizeEvery: 0 }", more=(event("Api", "put", "/orders"),)),
            22,
            "PUT /orders is behind authorizer Gate of Api, and no rule matches it",
            'add [[api.route]] route = "PUT /orders"',
            id="route-without-a-rule",
        ),
        pytest.param(
            RULES.replace('ids = ["*"]', 'ids = ["*"]\nevery_route_listed = true'),
            rest("Identity: { ReauthorizeEvery: 0 }", more=(event("Api", "get", "/{proxy+}"),)),
            22,
            "no rule matches all its GET requests, although the rules set every_route_listed",
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
def test_unsafe_integrations_are_reported(
    tmp_path: Path, *, rules: str, template: str, line: int, problem: str, remedy: str
) -> None:
    outcome = Outcome(tmp_path, rules, template)

    assert outcome.code == 1
    assert line in outcome.lines, outcome.text
    assert problem in outcome.text
    assert remedy in outcome.text


BY_ROUTE = "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 1 }"


OTHER_ORDERS = '[[api.route]]\nroute = "GET /orders/{path+}"\n'


@pytest.mark.parametrize(
    ("requirement", "code"),
    [
        pytest.param("", 0, id="the-same"),
        pytest.param('scopes = ["orders:all"]', 1, id="something-else"),
        pytest.param('issuers = ["https://one.example"]', 1, id="an-issuer"),
    ],
)
def test_a_wide_route_is_cached_only_with_the_requirements_of_the_narrower_ones(
    tmp_path: Path, requirement: str, code: int
) -> None:
    # GET /orders/{id} has its own route, but API Gateway sends /orders/1/ and /orders/1;x to the wider one.
    wide = http(BY_ROUTE, more=(event("HttpApi", "GET", "/orders/{path+}"),))
    outcome = Outcome(tmp_path, RULES + OTHER_ORDERS + requirement + "\n", wide)

    assert outcome.code == code, outcome.text
    if code:
        assert "several rules apply to requests for its route GET /orders/{path+}" in outcome.text
        assert "add $context.path to the identity source" in outcome.text


@pytest.mark.parametrize(
    ("rule", "route"),
    [
        pytest.param(ITEMS + 'roles = ["clerk"]\n', "GET /orders/{path+}", id="without-its-own-route"),
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
            id="the-rule-for-get-applies-to-head",
        ),
    ],
)
def test_rules_for_some_requests_of_a_wide_route_are_found(tmp_path: Path, rule: str, route: str) -> None:
    method, _, path = route.partition(" ")
    outcome = Outcome(tmp_path, RULES + OTHER_ORDERS + rule, http(BY_ROUTE, more=(event("HttpApi", method, path),)))

    assert outcome.code == 1
    assert f"several rules apply to requests for its route {route}" in outcome.text


def test_policies_can_be_cached_if_every_route_is_listed(tmp_path: Path) -> None:
    rules = RULES.replace('ids = ["*"]', 'ids = ["*"]\nevery_route_listed = true') + ITEMS

    assert Outcome(tmp_path, rules, rest("Identity: { Headers: [Authorization] }")).code == 0
