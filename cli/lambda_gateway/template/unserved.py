"""Find a template's APIs that the gateway doesn't serve, so that a developer isn't left to find out."""

from __future__ import annotations

from collections.abc import Iterator

from lambda_gateway.model import TemplateError, Unserved
from lambda_gateway.template.resources import Resources

_TYPES = (
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGatewayV2::Api",
    "AWS::AppSync::Api",
    "AWS::AppSync::GraphQLApi",
    "AWS::Serverless::GraphQLApi",
)


def unserved_apis(resources: Resources) -> Iterator[Unserved]:
    """Yield the APIs in the order of their types and names."""
    for kind in _TYPES:
        for name in sorted(resources.of_kind(kind)):
            served = (
                is_websocket(resources, name) or is_plain_http(resources, name)
                if kind == "AWS::ApiGatewayV2::Api"
                else is_plain_rest(resources, name)
            )
            if not served:
                yield Unserved(name, kind)


def is_websocket(resources: Resources, name: str) -> bool:
    """Return True if this `AWS::ApiGatewayV2::Api` is a WebSocket API."""
    return _value(resources, name, "ProtocolType") == "WEBSOCKET"


def is_plain_http(resources: Resources, name: str) -> bool:
    """Return True if this `AWS::ApiGatewayV2::Api` is an HTTP API with a JWT authorizer, which is served."""
    return _value(resources, name, "ProtocolType") == "HTTP" and any(
        _value(resources, part, "AuthorizerType") == "JWT" and _value(resources, part, "ApiId") == name
        for part in resources.of_kind("AWS::ApiGatewayV2::Authorizer")
    )


def is_plain_rest(resources: Resources, name: str) -> bool:
    """Return True if this `AWS::ApiGateway::RestApi` has a JWT authorizer, so that it is served."""
    return any(
        _value(resources, part, "Type") == "JWT" and _value(resources, part, "RestApiId") == name
        for part in resources.of_kind("AWS::ApiGateway::Authorizer")
    )


def _value(resources: Resources, name: str, member: str) -> object:
    """Return a property, None if only a deployment knows it."""
    try:
        return resources.resolve(resources.properties(name).get(member), f"Resources.{name}.Properties.{member}")
    except TemplateError:
        return None
