"""One API of each integration, all guarded by the product's own authorizer, over one set of route rules.

The authorizer and its layer run from the checkout, under Lambda's runtime client; its key set lies in a file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.gateway_project import write_project
from tests.support.tokens import AUDIENCE, ISSUER, good_claims, public_jwks, sign

ROOT = Path(__file__).resolve().parents[2]

ROUTES = (
    "GET /orders",
    "POST /orders",
    "GET /orders/{id}",
    "DELETE /orders/{id}",
    "GET /reports/{path+}",
    "GET /reports/secret",
    "GET /unruled",
)
RULES = """\
version = 1

[[api]]
name = "all of these"
ids = [{ids}]

[[api.route]]
route = "GET /orders"
scopes = ["orders:read"]

[[api.route]]
route = "POST /orders"
scopes = ["orders:write"]

[[api.route]]
route = "GET /orders/{{id}}"
scopes = ["orders:read"]

[[api.route]]
route = "DELETE /orders/{{id}}"
scopes = ["orders:write"]

[[api.route]]
route = "GET /reports/{{path+}}"
scopes = ["reports:read"]

[[api.route]]
route = "GET /reports/secret"
roles = ["auditor"]
"""

# What a request asks for, and what it must bring: (request, scope or role).
REQUESTS = {
    "GET /orders": "orders:read",
    "POST /orders": "orders:write",
    "GET /orders/7": "orders:read",
    "GET /orders/8": "orders:read",
    "DELETE /orders/7": "orders:write",
    "GET /reports/2026": "reports:read",
    "GET /reports/2026/may": "reports:read",
    "GET /reports/secret": "auditor",
    "GET /unruled": "what nobody has",
}
CALLERS = {
    "reader": ("orders:read", ()),
    "writer": ("orders:read orders:write", ()),
    "reporter": ("reports:read", ()),
    "auditor": ("reports:read", ("auditor",)),
    "auditor without reports": ("other", ("auditor",)),
    "nobody": ("other", ()),
}


class Integration(NamedTuple):
    """`auth` and `stage_variables` are the API's lines of the template."""

    kind: str
    auth: str
    stage_variables: str = ""

    @property
    def rest(self) -> bool:
        return self.kind == "Api"


_BY_TOKEN = "Identity: { Headers: [Authorization], ReauthorizeEvery: 300 }"
_BY_ROUTE = "Identity: { Headers: [Authorization], Context: [routeKey], ReauthorizeEvery: 300 }"
_V2 = 'AuthorizerPayloadFormatVersion: "2.0"'
INTEGRATIONS = {
    "RestToken": Integration("Api", "Identity: { ReauthorizeEvery: 300 }"),
    "RestRequest": Integration("Api", f"FunctionPayloadType: REQUEST, {_BY_TOKEN}"),
    "HttpOne": Integration("HttpApi", f'AuthorizerPayloadFormatVersion: "1.0", {_BY_TOKEN}'),
    "HttpTwoSimple": Integration("HttpApi", f"{_V2}, EnableSimpleResponses: true"),
    "HttpTwoByRoute": Integration("HttpApi", f"{_V2}, EnableSimpleResponses: true, {_BY_ROUTE}"),
    "HttpTwoPolicy": Integration("HttpApi", f"{_V2}, {_BY_TOKEN}", "StageVariables: { tenantgate_answer: policy }"),
}
# Named by no rule's block, and so guarded by nothing but the default: nobody.
BACKEND = """
    import json
    def lambda_handler(event, context):
        return {"statusCode": 200, "body": json.dumps(event["requestContext"]["authorizer"])}
"""


def token_of(caller: str, **changes: object) -> str:
    """A token of one of CALLERS, good for ten minutes from now unless `changes` spoil it."""
    scope, roles = CALLERS[caller]
    claims = {"sub": caller, "scope": scope, "roles": list(roles) or None, **changes}
    return sign(good_claims(int(time.time()), **claims))


def may(caller: str, request: str) -> bool:
    """What the rules say of it, written down by hand."""
    scope, roles = CALLERS[caller]
    return REQUESTS[request] in (*scope.split(), *roles)


def write_guarded_apis(
    folder: Path, *, routes: Sequence[str] = ROUTES, rules: str = RULES, variables: Mapping[str, str] | None = None
) -> Path:
    """The template's path. `rules` are those of all the APIs, with `{ids}` for theirs; `variables` the authorizer's."""
    (folder / "keys.json").write_text(json.dumps(public_jwks()))
    (folder / "rules.toml").write_text(rules.format(ids=", ".join(f'"{name}"' for name in INTEGRATIONS)))
    template = "Transform: AWS::Serverless-2016-10-31\nResources:\n" + "".join(map(_api, INTEGRATIONS))
    return write_project(
        folder, template + _backend(routes) + _authorizer(folder, variables or {}), {"backend": BACKEND}
    )


def _api(name: str) -> str:
    api = INTEGRATIONS[name]
    more = ["StageName: live"] if api.rest else [api.stage_variables] if api.stage_variables else []
    lines = [
        f"  {name}:",
        f"    Type: AWS::Serverless::{api.kind}",
        "    Properties:",
        *(f"      {line}" for line in more),
        "      Auth:",
        "        DefaultAuthorizer: Gate",
        f"        Authorizers: {{ Gate: {{ FunctionArn: !GetAtt Gate.Arn, {api.auth} }} }}",
    ]
    return "\n".join(lines) + "\n"


def _backend(routes: Sequence[str]) -> str:
    lines = [
        "  Backend:",
        "    Type: AWS::Serverless::Function",
        "    Properties:",
        "      Runtime: python3.13",
        "      CodeUri: functions/backend/",
        "      Handler: functions.backend.handler.lambda_handler",
        "      Timeout: 10",
        "      Events:",
    ]
    for name, api in INTEGRATIONS.items():
        reference = "RestApiId" if api.rest else "ApiId"
        for number, route in enumerate(routes):
            method, path = route.split()
            given = f'{{ {reference}: !Ref {name}, Method: {method}, Path: "{path}" }}'
            lines.append(f"        {name}{number}: {{ Type: {api.kind}, Properties: {given} }}")
    return "\n".join(lines) + "\n"


def _authorizer(folder: Path, changes: Mapping[str, str]) -> str:
    variables = {
        "ENVIRONMENT": "test",
        "LOG_LEVEL": "INFO",
        "OIDC_ISSUER_URL": ISSUER,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(folder / "keys.json"),
        "ROUTE_RULES_FILE": str(folder / "rules.toml"),
        **changes,
    }
    lines = [
        "  Layer: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: %s } }" % (ROOT / "layers/shared"),
        "  Gate:",
        "    Type: AWS::Serverless::Function",
        "    Properties:",
        "      Runtime: python3.13",
        f"      CodeUri: {ROOT / 'functions/authorizer'}",
        "      Handler: functions.authorizer.handler.lambda_handler",
        "      Timeout: 9",
        "      Layers: [!Ref Layer]",
        "      Environment:",
        "        Variables:",
        *(f"          {name}: {json.dumps(value)}" for name, value in variables.items()),
    ]
    return "\n".join(lines) + "\n"
