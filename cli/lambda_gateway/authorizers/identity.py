"""Identity sources: the parts of a request that an authorizer needs, and that its cached results are keyed by.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html, "Identity sources"
https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html
"""

from __future__ import annotations

from urllib.parse import parse_qs

from lambda_gateway.authorizers.results import MissingIdentity
from lambda_gateway.aws import ACCOUNT_ID
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Route

# An HTTP API writes `$request.header.X`, a REST API `method.request.header.X`, a WebSocket API `route.request.header.X`
# for the handshake.
_HEADER, _QUERY, _CONTEXT, _STAGE = "request.header.", "request.querystring.", "context.", "stageVariables."


def identity_of(authorizer: Authorizer, api: Api, request: Request, route: Route) -> tuple[str, ...] | MissingIdentity:
    """Return the values of the identity sources, or the one that is missing, empty or doesn't match the validation.

    API Gateway then responds with 401 without invoking the function.
    """
    values: list[str] = []
    for source in authorizer.identity_sources:
        value = value_of(source, api, request, route)
        if not value:
            return MissingIdentity(source)
        values.append(value)
    if authorizer.validation is not None:
        for source, value in zip(authorizer.identity_sources, values, strict=True):
            if authorizer.validation.fullmatch(value) is None:
                return MissingIdentity(source, mismatched=True)
    return tuple(values)


def readable(source: str) -> bool:
    """Return True if requests can have this source. With any other source, every request would get a 401."""
    kind = _normal(source)
    if kind.startswith(_CONTEXT):
        return kind.removeprefix(_CONTEXT) in _CONTEXT_NAMES
    return kind.startswith((_HEADER, _QUERY, _STAGE))


def value_of(source: str, api: Api, request: Request, route: Route) -> str | None:
    """Return the value of one identity source, None if the request has none."""
    kind = _normal(source)
    if kind.startswith(_HEADER):
        return request.header(kind.removeprefix(_HEADER).lower())
    if kind.startswith(_QUERY):
        values = parse_qs(request.query).get(kind.removeprefix(_QUERY))
        return ",".join(values) if values else None
    if kind.startswith(_STAGE):
        return api.stage_variables.get(kind.removeprefix(_STAGE))
    return _context(api, request, route).get(kind.removeprefix(_CONTEXT))


def _normal(source: str) -> str:
    return source.removeprefix("$").removeprefix("method.").removeprefix("route.")


def _context(api: Api, request: Request, route: Route) -> dict[str, str]:
    return {
        "accountId": ACCOUNT_ID,
        "apiId": api.id,
        "domainName": request.domain,
        "httpMethod": request.method,
        "identity.sourceIp": request.source_ip,
        "identity.userAgent": request.header("user-agent") or "",
        "path": f"{api.base_path}{request.path}",
        "protocol": request.protocol,
        "requestId": request.request_id,
        "resourcePath": route.path or "",
        "routeKey": route.key,
        "stage": api.stage,
    }


_CONTEXT_NAMES = frozenset(_context(Api("", (), {}), Request("GET", "/", "", []), Route("GET", "/", function="")))
