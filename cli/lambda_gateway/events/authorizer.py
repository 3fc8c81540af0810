"""The events that authorizers are sent, one form for each kind of API and payload.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambda_gateway.events.http_api import Request, common_event
from lambda_gateway.events.rest_api import common_rest_event
from lambda_gateway.model import Api, Authorizer, Payload, Route
from lambda_gateway.template.intrinsics import ACCOUNT_ID, REGION


def method_arn(api: Api, request: Request) -> str:
    """What the request asks for, as policies name it."""
    path = request.path.removeprefix("/")
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{api.id}/{api.stage}/{request.method}/{path}"


def authorizer_event(
    api: Api,
    authorizer: Authorizer,
    request: Request,
    route: Route,
    path_parameters: Mapping[str, str],
    *,
    identity: Sequence[str],
) -> dict[str, object]:
    """`identity` holds the values of the authorizer's identity sources."""
    arn = method_arn(api, request)
    match authorizer.payload:
        case Payload.TOKEN:
            return {"type": "TOKEN", "methodArn": arn, "authorizationToken": identity[0]}
        case Payload.REQUEST:
            event = common_rest_event(api, request, route, path_parameters)
            return {"type": "REQUEST", "methodArn": arn, **_with_empty_maps(event)}
        case Payload.V1:
            said = ",".join(identity) if identity else None
            event = _with_empty_maps(common_rest_event(api, request, route, path_parameters))
            return {
                "version": "1.0",
                "type": "REQUEST",
                "methodArn": arn,
                "identitySource": said,
                "authorizationToken": said,
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
    """An authorizer is sent empty objects where a function is sent null."""
    maps = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables")
    return {name: ({} if value is None and name in maps else value) for name, value in event.items()}
