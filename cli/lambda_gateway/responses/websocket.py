"""Responses of a WebSocket API: to the handshake, to messages, and the gateway's own `{"message": …}`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
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

# The error types by which AWS's SDKs name their exceptions.
_TYPES = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
}
# Bytes: the longest message in either direction.
MAX_MESSAGE = 128 * 1024
_PROTOCOL = "sec-websocket-protocol"


def gateway_response(status: int, message: str, **more: str) -> Response:
    """Build the gateway's own response. `more` are further members of the body."""
    body = json.dumps({"message": message, **more}, separators=(",", ":"), ensure_ascii=False)
    headers = [("content-type", "application/json")]
    if status in _TYPES:
        headers.append(("x-amzn-errortype", _TYPES[status]))
    return Response(status, body.encode(), headers)


def gateway_message(message: str, connection_id: str, request_id: str) -> str:
    """Build the gateway's own message to a client."""
    return json.dumps({"message": message, "connectionId": connection_id, "requestId": request_id})


def from_connect(raw: bytes) -> Response:
    """Build the handshake's response from that of the function of `$connect`. Raises MalformedResponse.

    Of its headers, only the selected subprotocol reaches the client.
    """
    given = load(raw)
    if not isinstance(given, dict) or "statusCode" not in given:
        raise MalformedResponse("the response of $connect must be an object with `statusCode`")
    headers = [header for header in read_headers(given.get("headers")) if header[0] == _PROTOCOL]
    return Response(
        read_status(given["statusCode"]), read_body(given.get("body"), given.get("isBase64Encoded")), headers
    )


def from_message(raw: bytes, *, responds: bool) -> Response:
    """Build the response to a message from that of its function. Raises MalformedResponse.

    A route without a route response ignores it, so that any response is valid.
    """
    given = load(raw)
    if not responds:
        return Response(200)
    if not isinstance(given, dict) or "statusCode" not in given:
        raise MalformedResponse("the route has a route response: the response must be an object with `statusCode`")
    body = read_body(given.get("body"), given.get("isBase64Encoded"))
    if len(body) > MAX_MESSAGE:
        raise MalformedResponse(f"the body has {len(body)} bytes; a message may have at most {MAX_MESSAGE}")
    return Response(read_status(given["statusCode"]), body)


def selected_protocol(response: Response) -> str | None:
    """Return the subprotocol that the function of `$connect` selected."""
    return next((value for name, value in response.headers if name == _PROTOCOL), None)


def protocol_note(offered: str | None, selected: str | None) -> str:
    """Return a note if clients will close the connection because of its subprotocol (RFC 6455 §4.1); otherwise nothing.

    `offered` is the client's header, `selected` what the function of $connect selected.
    """
    protocols = [protocol.strip() for protocol in (offered or "").split(",") if protocol.strip()]
    if protocols and selected is None:
        return "but $connect selected no subprotocol, so a browser closes the connection"
    if selected is not None and selected not in protocols:
        return "but $connect selected a subprotocol that wasn't offered, so clients close the connection"
    return ""
