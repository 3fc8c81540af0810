"""A guarded stack as SAM deploys it: our gateway reads the same configuration that API Gateway gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_gateway.model import Api, Authorizer, Kind, Template
from lambda_gateway.template.reader import read_template
from tenantgate_cli.stack.templates import read_product_template
from tests.fixtures.docs.guard_page import ROOT, sam_stack
from tests.fixtures.gateway.guarded_apis import write_guarded_apis
from tests.fixtures.template.deployed import Stack, deployed_stack, require_uv

EXAMPLE = ROOT / "examples" / "guarded_api" / "template.yaml"


def page(folder: Path) -> Path:
    path = folder / "template.yaml"
    path.write_text(sam_stack())
    return path


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(lambda _: EXAMPLE, id="example"),
        pytest.param(page, id="page"),
        pytest.param(write_guarded_apis, id="every-integration"),
    ],
)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write: Callable[[Path], Path] = request.param
    return write(tmp_path_factory.mktemp("guarded"))


@pytest.fixture(scope="module")
def deployed(path: Path) -> Stack:
    require_uv()
    return deployed_stack(path)


@pytest.fixture(scope="module")
def read(path: Path) -> Template:
    required = {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": "https://app.example.com"}
    return read_template(path, after=read_product_template(ROOT / "template.yaml", required))


def definition(deployed: Stack, api: Api) -> dict[str, Any]:
    body: dict[str, Any] = deployed.properties(api.id)["Body"]
    return body


def scheme_of(deployed: Stack, api: Api, name: str) -> dict[str, Any]:
    body = definition(deployed, api)
    schemes = body["securityDefinitions"] if api.kind is Kind.REST else body["components"]["securitySchemes"]
    scheme: dict[str, Any] = schemes[name]
    return scheme


def test_authorizers(deployed: Stack, read: Template) -> None:
    assert read.apis
    for api in read.apis:
        if api.kind is Kind.WEBSOCKET:
            _compare_websocket(deployed, api)
            continue
        for name, gate in api.authorizers.items():
            scheme = scheme_of(deployed, api, name)
            given = scheme["x-amazon-apigateway-authorizer"]
            # A property that the template omits has the service's default.
            default = 300 if gate.identity_sources else 0
            assert given.get("authorizerResultTtlInSeconds", default) == gate.ttl
            if api.kind is Kind.REST:
                _compare_rest(scheme, given, gate)
            else:
                assert given.get("identitySource", []) == list(gate.identity_sources)
                assert given["authorizerPayloadFormatVersion"] == gate.payload
                assert given.get("enableSimpleResponses", False) is gate.simple


def _compare_websocket(deployed: Stack, api: Api) -> None:
    """Compare an API in either form with the resources that CloudFormation gets."""
    for name, gate in api.authorizers.items():
        given = deployed.properties(name)
        assert (given["AuthorizerType"], tuple(given.get("IdentitySource") or ())) == ("REQUEST", gate.identity_sources)
        assert "/functions/" in json.dumps(given["AuthorizerUri"])
    routes = _parts(deployed, "Route", api)
    answered = {given["RouteId"]["Ref"] for given in _parts(deployed, "RouteResponse", api).values()}
    assert {given["RouteKey"] for name, given in routes.items() if name in answered} == {
        route.key for route in api.routes if route.responds
    }
    assert {given["RouteKey"]: authorizer_of(given) for given in routes.values()} == {
        route.key: route.authorizer for route in api.routes
    }
    assert [given["StageName"] for given in _parts(deployed, "Stage", api).values()] == [api.stage]


def _parts(deployed: Stack, kind: str, api: Api) -> dict[str, dict[str, Any]]:
    """Return the properties of the API's resources of this kind by their logical ids."""
    found = deployed.resources(f"AWS::ApiGatewayV2::{kind}")
    return {name: body["Properties"] for name, body in found.items() if body["Properties"]["ApiId"] == {"Ref": api.id}}


def authorizer_of(route: dict[str, Any]) -> str | None:
    """Return the authorizer's logical id of a WebSocket API's route."""
    return route["AuthorizerId"]["Ref"] if route.get("AuthorizationType") == "CUSTOM" else None


def _compare_rest(scheme: dict[str, Any], given: dict[str, Any], gate: Authorizer) -> None:
    assert given["type"] == gate.payload.lower()
    if "identitySource" in given:
        assert given["identitySource"].split(", ") == list(gate.identity_sources)
    else:
        assert gate.identity_sources == (f"method.request.header.{scheme['name']}",)


def test_routes_and_their_authorizers(deployed: Stack, read: Template) -> None:
    for api in read.apis:
        if api.kind is Kind.WEBSOCKET:
            continue  # compared with its authorizers
        deployed_routes = {
            (method.upper(), path): [name for need in operation.get("security", []) for name in need]
            for path, methods in definition(deployed, api)["paths"].items()
            for method, operation in methods.items()
        }
        ours = {(route.method, route.path): [route.authorizer] if route.authorizer else [] for route in api.routes}
        assert {key: [name for name in names if name != "NONE"] for key, names in deployed_routes.items()} == ours


def test_gateway_responses(deployed: Stack, read: Template) -> None:
    for api in read.apis:
        if api.kind is not Kind.REST:
            continue
        given = definition(deployed, api).get("x-amazon-apigateway-gateway-responses", {})
        assert set(given) == set(api.gateway_responses)
        for kind, ours in api.gateway_responses.items():
            headers = given[kind].get("responseParameters", {})
            assert {
                name.removeprefix("gatewayresponse.header."): value for name, value in headers.items()
            } == ours.headers
            assert given[kind].get("responseTemplates", {}) == ours.templates


def test_no_stack_adds_a_permission_to_our_function(deployed: Stack) -> None:
    # SAM adds one for a WebSocket API in its own form, which the page says.
    sams = {f"{name}AuthorizerPermission" for name in deployed.resources("AWS::ApiGatewayV2::Api")}
    for name, body in deployed.resources("AWS::Lambda::Permission").items():
        if name in sams:
            continue
        assert "ImportValue" not in json.dumps(body["Properties"]["FunctionName"])
        assert "AuthorizerArn" not in json.dumps(body["Properties"]["FunctionName"])


def test_stages(deployed: Stack, read: Template) -> None:
    names = {stage["Properties"]["StageName"] for stage in deployed.resources("AWS::ApiGateway::Stage").values()}
    assert names == {api.stage for api in read.apis if api.kind is Kind.REST}
