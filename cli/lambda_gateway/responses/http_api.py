"""Responses of an HTTP API: from its functions, and the gateway's own `{"message": …}`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html, "Lambda function
response for format 2.0".
"""

from __future__ import annotations

import json

from lambda_gateway.responses.response import (
    MalformedResponse,
    Response,
    load,
    read_body,
    read_headers,
    read_status,
)

_DEFAULT_TYPE = "text/plain; charset=utf-8"
_JSON = ("content-type", "application/json")
# API Gateway's messages, which aren't all the standard phrases.
_MESSAGES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def gateway_response(status: int) -> Response:
    """Build the gateway's own response."""
    body = json.dumps({"message": _MESSAGES[status]}, separators=(",", ":"))
    return Response(status, body.encode(), [_JSON])


def from_function(raw: bytes) -> Response:
    """Build the response from that of a function (JSON). Raises MalformedResponse.

    Without `statusCode`, all of the function's response is the body of a 200 with type application/json.
    """
    given = load(raw)
    if not isinstance(given, dict) or "statusCode" not in given:
        body = given.encode() if isinstance(given, str) else raw
        return Response(200, body, [_JSON])
    headers = read_headers(given.get("headers"))
    body = read_body(given.get("body"), given.get("isBase64Encoded"))
    if body and all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", _DEFAULT_TYPE))
    cookies = given.get("cookies")
    if cookies is not None:
        if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
            raise MalformedResponse("`cookies` must be a list of strings")
        headers.extend(("set-cookie", cookie) for cookie in cookies)
    return Response(read_status(given["statusCode"]), body, headers)
