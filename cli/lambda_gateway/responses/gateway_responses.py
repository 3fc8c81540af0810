"""The responses that a REST API generates itself, with the template's customizations.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lambda_gateway.aws import ACCOUNT_ID
from lambda_gateway.events.request import Request
from lambda_gateway.events.rest_api import resource_id, text_of
from lambda_gateway.model import Api, GatewayResponse, Route
from lambda_gateway.responses.response import Response

_JSON = "application/json"
_DEFAULT_TEMPLATE = '{"message":$context.error.messageString}'
_VARIABLE = re.compile(r"\$(context|stageVariables)\.([A-Za-z0-9_.-]*[A-Za-z0-9_])")


@dataclass(frozen=True, slots=True)
class Type:
    """A response type.

    error    the value of `x-amzn-errortype`
    message  None is the JSON value `null`
    member   the message's member of the body: only an uncustomized ACCESS_DENIED writes it with a capital letter
    """

    name: str
    status: int
    error: str
    message: str | None
    member: str = "message"


UNAUTHORIZED = Type("UNAUTHORIZED", 401, "UnauthorizedException", "Unauthorized")
EXPLICIT_DENY = Type(
    "ACCESS_DENIED",
    403,
    "AccessDeniedException",
    "User is not authorized to access this resource with an explicit deny",
    "Message",
)
IMPLICIT_DENY = Type(
    "ACCESS_DENIED", 403, "AccessDeniedException", "User is not authorized to access this resource", "Message"
)
AUTHORIZER_CONFIGURATION_ERROR = Type("AUTHORIZER_CONFIGURATION_ERROR", 500, "AuthorizerConfigurationException", None)
MISSING_TOKEN = Type(
    "MISSING_AUTHENTICATION_TOKEN", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"
)
TOO_LARGE = Type("REQUEST_TOO_LARGE", 413, "RequestTooLargeException", "Request Too Long")
BAD_INTEGRATION = Type("DEFAULT_5XX", 502, "InternalServerErrorException", "Internal server error")
INTEGRATION_TIMEOUT = Type("INTEGRATION_TIMEOUT", 504, "GatewayTimeoutException", "Endpoint request timed out")
FAILED = Type("DEFAULT_5XX", 500, "InternalServerErrorException", "Internal server error")
# Sent before a stage is found, so that no customization of the API applies.
NO_STAGE = Type("", 403, "ForbiddenException", "Forbidden")

NAMES = frozenset(
    {
        *("ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE"),
        *("BAD_REQUEST_PARAMETERS", "BAD_REQUEST_BODY", "DEFAULT_4XX", "DEFAULT_5XX", "EXPIRED_TOKEN"),
        *("INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE"),
        *("MISSING_AUTHENTICATION_TOKEN", "QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND"),
        *("THROTTLED", "UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED"),
    }
)


def respond(
    kind: Type, api: Api, request: Request, route: Route | None = None, context: Mapping[str, object] | None = None
) -> Response:
    """Build the response. `context` is the authorizer's, which templates refer to as `$context.authorizer.…`."""
    given = _customized(kind, api)
    if given is None:
        body = json.dumps({kind.member: kind.message}, separators=(",", ":"))
        return Response(kind.status, body.encode(), [("content-type", _JSON), ("x-amzn-errortype", kind.error)])
    variables = _variables(kind, api, request, route, context or {})
    content_type, template = next(iter(given.templates.items()), (_JSON, _DEFAULT_TEMPLATE))
    headers = [("content-type", content_type), ("x-amzn-errortype", kind.error)]
    for name, expression in given.headers.items():
        if (value := _header_value(expression, request, variables)) is not None:
            headers = [header for header in headers if header[0] != name.lower()]
            headers.append((name.lower(), value))
    return Response(given.status or kind.status, _filled(template, variables).encode(), headers)


def _customized(kind: Type, api: Api) -> GatewayResponse | None:
    """Return the customization of the type, or otherwise of its status class."""
    family = "DEFAULT_4XX" if kind.status < 500 else "DEFAULT_5XX"
    return (api.gateway_responses.get(kind.name) or api.gateway_responses.get(family)) if kind.name else None


def _variables(
    kind: Type, api: Api, request: Request, route: Route | None, context: Mapping[str, object]
) -> dict[str, str]:
    path = (route.path if route else None) or ""
    return {
        "context.accountId": ACCOUNT_ID,
        "context.apiId": api.id,
        "context.domainName": request.domain,
        "context.error.message": kind.message or "",
        "context.error.messageString": json.dumps(kind.message),
        "context.error.responseType": kind.name,
        "context.extendedRequestId": request.request_id,
        "context.httpMethod": request.method,
        "context.identity.sourceIp": request.source_ip,
        "context.identity.userAgent": request.header("user-agent") or "",
        "context.path": f"{api.base_path}{request.path}",
        "context.protocol": request.protocol,
        "context.requestId": request.request_id,
        "context.requestTime": request.received_at,
        "context.requestTimeEpoch": str(int(request.received * 1000)),
        "context.resourceId": resource_id(path),
        "context.resourcePath": path,
        "context.stage": api.stage,
        **{f"context.authorizer.{name}": text_of(value) for name, value in context.items()},
        **{f"stageVariables.{name}": value for name, value in api.stage_variables.items()},
    }


def _filled(template: str, variables: Mapping[str, str]) -> str:
    """Replace the variables, unknown ones by an empty string. Other expressions are not evaluated."""
    return _VARIABLE.sub(lambda found: variables.get(found.group()[1:], ""), template)


def _header_value(expression: str, request: Request, variables: Mapping[str, str]) -> str | None:
    """Evaluate the expression. Return None, which omits the header, if it refers to something absent."""
    if len(expression) >= 2 and expression[0] == expression[-1] == "'":
        return expression[1:-1]
    if expression.startswith("method.request.header."):
        return request.header(expression.removeprefix("method.request.header.").lower())
    return variables.get(expression)
