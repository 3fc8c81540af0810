"""examples/native_jwt/template.yaml: linted, and the gateway reads the configuration that SAM deploys."""

from __future__ import annotations

from lambda_gateway.template.reader import read_template
from tenantgate_cli.build.scan import lint
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.templates import read_product_template
from tests.fixtures.template.deployed import deployed_stack, require_uv

TEMPLATE = ROOT / "examples" / "native_jwt" / "template.yaml"
OURS = {
    "ENVIRONMENT": "production",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "OIDC_ISSUER_URL": "https://login.example.com",
    "OIDC_AUDIENCE": "orders,reports",
}


def test_the_linter_finds_nothing() -> None:
    require_uv()
    linted = lint(TEMPLATE)

    assert linted.returncode == 0, linted.stdout


def test_sam_deploys_what_the_gateway_reads() -> None:
    require_uv()
    body = deployed_stack(TEMPLATE).properties("CompareHttpApi")["Body"]
    scheme = body["components"]["securitySchemes"]["Native"]["x-amazon-apigateway-authorizer"]

    read = read_template(TEMPLATE, after=read_product_template(ROOT / "template.yaml", OURS))
    http, rest = read.apis
    own = http.jwt_authorizers["Native"]
    assert (scheme["identitySource"], own.identity_source) == (own.identity_source, "$request.header.Authorization")
    assert scheme["jwtConfiguration"]["issuer"] == {"Fn::ImportValue": {"Fn::Sub": "${TenantgateStack}-TokenIssuer"}}
    assert own.issuers[0].url == "https://login.example.com"
    assert own.issuers[0].audiences == ("orders", "reports")
    assert rest.jwt_authorizers["RestNative"].issuers == own.issuers
    scopes = {
        f"{method.upper()} {path}": operation["security"][0]["Native"]
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
        if "Native" in operation["security"][0]
    }
    assert scopes == {route.key: list(route.scopes) for route in http.routes if route.authorizer == "Native"}
