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
            if not (kind == "AWS::ApiGatewayV2::Api" and is_websocket(resources, name)):
                yield Unserved(name, kind)


def is_websocket(resources: Resources, name: str) -> bool:
    """Return True if this `AWS::ApiGatewayV2::Api` is a WebSocket API."""
    where = f"Resources.{name}.Properties.ProtocolType"
    try:
        return resources.resolve(resources.properties(name).get("ProtocolType"), where) == "WEBSOCKET"
    except TemplateError:
        return False
