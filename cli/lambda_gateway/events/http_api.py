"""The event that an HTTP API sends to functions: payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import parse_qsl

from lambda_gateway.aws import ACCOUNT_ID
from lambda_gateway.events.request import Request
from lambda_gateway.model import DEFAULT_ROUTE, Api, Route

# Bodies of these types are sent as text, all others as base64.
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml")


def integration_event(
    api: Api, request: Request, route: Route, path_parameters: Mapping[str, str], authorizer: object = None
) -> dict[str, object]:
    """Build the event of a Lambda integration. `authorizer` becomes `requestContext.authorizer`."""
    event = common_event(api, request, route, path_parameters, authorizer)
    if request.body:
        event["body"], event["isBase64Encoded"] = encode_body(request.body, request.header("content-type"))
    else:
        event["isBase64Encoded"] = False
    return event


def encode_body(body: bytes, content_type: str | None) -> tuple[str, bool]:
    """Return the event's `body` and `isBase64Encoded`."""
    media_type = (content_type or "text/plain").split(";", 1)[0].strip().lower()
    if media_type.startswith(_TEXT_TYPES) or media_type.endswith(_TEXT_SUFFIXES):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def common_event(
    api: Api, request: Request, route: Route, path_parameters: Mapping[str, str], authorizer: object
) -> dict[str, object]:
    """Build the members that the events for functions and for authorizers share."""
    route_key = route.key
    headers, cookies = _headers(request)
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    if cookies:
        event["cookies"] = cookies
    event["headers"] = headers
    if request.query and (parameters := _query_parameters(request.query)):
        event["queryStringParameters"] = parameters
    event["requestContext"] = _request_context(api, request, route_key, authorizer)
    if path_parameters and route_key != DEFAULT_ROUTE:
        event["pathParameters"] = dict(path_parameters)
    if api.stage_variables:
        event["stageVariables"] = dict(api.stage_variables)
    return event


def _request_context(api: Api, request: Request, route_key: str, authorizer: object) -> dict[str, object]:
    context: dict[str, object] = {"accountId": ACCOUNT_ID, "apiId": api.id}
    if authorizer is not None:
        context["authorizer"] = authorizer
    return context | {
        "domainName": request.domain,
        "domainPrefix": request.domain.split(".", 1)[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request.request_id,
        "routeKey": route_key,
        "stage": api.stage,
        "time": request.received_at,
        "timeEpoch": int(request.received * 1000),
    }


def _headers(request: Request) -> tuple[dict[str, str], list[str]]:
    """Return the headers, with repeated ones joined by commas, and apart from them the cookies."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        if name == "cookie":
            cookies.extend(cookie.strip() for cookie in value.split(";") if cookie.strip())
        elif name in headers:
            headers[name] = f"{headers[name]},{value}"
        else:
            headers[name] = value
    headers.setdefault("content-length", str(len(request.body)))
    return dict(sorted((headers | request.forwarded).items())), cookies


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters
