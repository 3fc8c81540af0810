"""The CORS of an HTTP API: it responds to preflight requests and replaces the functions' CORS headers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from __future__ import annotations

from lambda_gateway.events.request import Request
from lambda_gateway.model import Cors
from lambda_gateway.responses.response import Response

_PREFIX = "access-control-"


def is_preflight(request: Request) -> bool:
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight(cors: Cors, request: Request) -> Response:
    """Build the response: 204, with CORS headers if the origin is allowed."""
    origin = _allowed_origin(cors, request)
    if origin is None:
        return Response(204)
    headers = [("access-control-allow-origin", origin)]
    if cors.allow_methods:
        headers.append(("access-control-allow-methods", ",".join(cors.allow_methods)))
    if cors.allow_headers:
        headers.append(("access-control-allow-headers", ",".join(name.lower() for name in cors.allow_headers)))
    if cors.max_age is not None:
        headers.append(("access-control-max-age", str(cors.max_age)))
    if cors.allow_credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return Response(204, b"", headers)


def decorate(cors: Cors, request: Request, response: Response) -> None:
    """Replace the response's CORS headers by the API's."""
    response.headers = [(name, value) for name, value in response.headers if not name.startswith(_PREFIX)]
    origin = _allowed_origin(cors, request)
    if origin is None:
        return
    response.headers.append(("access-control-allow-origin", origin))
    if cors.expose_headers:
        response.headers.append(("access-control-expose-headers", ",".join(n.lower() for n in cors.expose_headers)))
    if cors.allow_credentials:
        response.headers.append(("access-control-allow-credentials", "true"))


def _allowed_origin(cors: Cors, request: Request) -> str | None:
    origin = request.header("origin")
    if origin is None:
        return None
    for allowed in cors.allow_origins:
        if allowed == "*":
            return "*"
        if allowed == origin or (allowed in ("http://*", "https://*") and origin.startswith(allowed[:-1])):
            return origin
    return None
