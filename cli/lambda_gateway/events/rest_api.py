"""The event that a REST API sends to functions: Lambda proxy integration, payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html

API Gateway keeps the case of header names. Here they are lower-case, as HTTP/2 clients send them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from lambda_gateway.aws import ACCOUNT_ID
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Route

# The headers that API Gateway adds, in its own case.
_CANONICAL = {
    "host": "Host",
    "x-amzn-trace-id": "X-Amzn-Trace-Id",
    "x-forwarded-for": "X-Forwarded-For",
    "x-forwarded-port": "X-Forwarded-Port",
    "x-forwarded-proto": "X-Forwarded-Proto",
}
# Members that have a value only in requests that are signed with AWS credentials.
_NO_CALLER = ("accessKey", "accountId", "caller", "user", "userArn", "principalOrgId")
_NO_POOL = ("cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId")


def proxy_event(
    api: Api,
    request: Request,
    route: Route,
    path_parameters: Mapping[str, str],
    authorizer: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Build the event of a proxy integration. `authorizer` becomes `requestContext.authorizer`."""
    event = common_rest_event(api, request, route, path_parameters, authorizer)
    body, is_base64 = None, False
    if request.body:
        body, is_base64 = _body(api, request)
    return event | {"body": body, "isBase64Encoded": is_base64}


def common_rest_event(
    api: Api,
    request: Request,
    route: Route,
    path_parameters: Mapping[str, str],
    authorizer: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Build the members that the events for functions and for authorizers share, also in an HTTP API's payload 1.0."""
    headers = multi_headers(request)
    query = multi_query(request.query)
    return {
        "resource": route.path or route.key,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(path_parameters) or None,
        "stageVariables": dict(api.stage_variables) or None,
        "requestContext": _request_context(api, request, route, authorizer),
    }


def flat_context(principal: str, context: Mapping[str, object], latency_ms: int) -> dict[str, object]:
    """Build `requestContext.authorizer`, with every value of the authorizer's context as a string."""
    flat: dict[str, object] = {name: text_of(value) for name, value in context.items()}
    return {**flat, "principalId": principal, "integrationLatency": latency_ms}


def is_binary(api: Api, media_type: str | None) -> bool:
    """Return True if the API declares this media type binary."""
    wanted = (media_type or "application/json").split(",", 1)[0].split(";", 1)[0].strip().lower()
    return any(kind in ("*/*", wanted) for kind in api.binary_types)


def text_of(value: object) -> str:
    """Return a value of an authorizer's context as API Gateway writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(api: Api, request: Request) -> tuple[str, bool]:
    if is_binary(api, request.header("content-type")):
        return base64.b64encode(request.body).decode("ascii"), True
    # Every other body is treated as text, as on AWS, even if that corrupts it.
    return request.body.decode("utf-8", "replace"), False


def multi_headers(request: Request) -> dict[str, list[str]]:
    """Return all values of each header, with those that API Gateway adds."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(_CANONICAL.get(name, name), []).append(value)
    for name, value in request.forwarded.items():
        headers[_CANONICAL[name]] = [value]
    return dict(sorted(headers.items()))


def multi_query(query: str) -> dict[str, list[str]]:
    """Return all values of each query parameter."""
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    return parameters


def resource_id(path: str) -> str:
    """Return the six characters of a resource's id, the same in every run."""
    return hashlib.sha256(path.encode()).hexdigest()[:6]


def _request_context(
    api: Api, request: Request, route: Route, authorizer: Mapping[str, object] | None
) -> dict[str, object]:
    path = route.path or route.key
    context: dict[str, object] = {"accountId": ACCOUNT_ID, "apiId": api.id}
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return context | {
        "domainName": request.domain,
        "domainPrefix": request.domain.split(".", 1)[0],
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": {
            **dict.fromkeys((*_NO_CALLER, *_NO_POOL)),
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent"),
        },
        "path": f"{api.base_path}{request.path}",
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": request.received_at,
        "requestTimeEpoch": int(request.received * 1000),
        "resourceId": resource_id(path),
        "resourcePath": path,
        "stage": api.stage,
    }
