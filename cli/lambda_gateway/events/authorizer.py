"""The events that authorizers receive, one form for each kind of API and payload.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambda_gateway.aws import ACCOUNT_ID, REGION
from lambda_gateway.events.http_api import common_event
from lambda_gateway.events.request import Request
from lambda_gateway.events.rest_api import common_rest_event
from lambda_gateway.events.websocket import CONNECT, Handshake, handshake_event
from lambda_gateway.model import Api, Authorizer, Kind, Payload, Route


def method_arn(api: Api, request: Request) -> str:
    """Return the ARN of the requested method, which policies refer to: for a WebSocket API it is $connect."""
    stage = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{api.id}/{api.stage}"
    if api.kind is Kind.WEBSOCKET:
        return f"{stage}/{CONNECT}"
    return f"{stage}/{request.method}/{request.path.removeprefix('/')}"


def authorizer_event(
    api: Api,
    authorizer: Authorizer,
    request: Request,
    route: Route,
    path_parameters: Mapping[str, str],
    *,
    identity: Sequence[str],
) -> dict[str, object]:
    """Build the event for an authorizer. `identity` has the values of its identity sources."""
    arn = method_arn(api, request)
    if isinstance(request, Handshake):
        event = _with_empty_maps(handshake_event(api, request))
        return {"type": "REQUEST", "methodArn": arn, **event}
    match authorizer.payload:
        case Payload.TOKEN:
            return {"type": "TOKEN", "methodArn": arn, "authorizationToken": identity[0]}
        case Payload.REQUEST:
            event = common_rest_event(api, request, route, path_parameters)
            return {"type": "REQUEST", "methodArn": arn, **_with_empty_maps(event)}
        case Payload.V1:
            source = ",".join(identity) if identity else None
            event = _with_empty_maps(common_rest_event(api, request, route, path_parameters))
            return {
                "version": "1.0",
                "type": "REQUEST",
                "methodArn": arn,
                "identitySource": source,
                "authorizationToken": source,
                **event,
            }
        case Payload.V2:
            event = common_event(api, request, route, path_parameters, None)
            return {
                "version": event.pop("version"),
                "type": "REQUEST",
                "routeArn": arn,
                "identitySource": list(identity),
                **event,
            }


def _with_empty_maps(event: dict[str, object]) -> dict[str, object]:
    """Replace null by the empty object that an authorizer gets instead."""
    maps = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables")
    return {name: ({} if value is None and name in maps else value) for name, value in event.items()}
