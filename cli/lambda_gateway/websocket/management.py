"""The API by which functions send to a connection, describe it or close it: `/@connections/{id}`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from lambda_gateway.events.request import Request
from lambda_gateway.responses.response import Response
from lambda_gateway.responses.websocket import MAX_MESSAGE, gateway_response
from lambda_gateway.websocket.connection import ClientSlow, Connection, Connections, Gone

MANAGEMENT = "/@connections/{connection_id}"
_PATH = re.compile(r"/@connections/([^/]+)")
# A request that is signed with AWS credentials for API Gateway. The signature isn't verified: only the ids are secret
# here. But no page in a browser can send this header to another origin.
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/,\s]+/\d{8}/[^/,\s]+/execute-api/aws4_request,.*")


def is_management(path: str) -> bool:
    """Return True if this path, without the stage, is one of a connection."""
    return _PATH.fullmatch(path) is not None


async def manage(connections: Connections, request: Request, path: str) -> Response:
    """Handle a request to the path of a connection. `path` is without the stage."""
    match = _PATH.fullmatch(path)
    if match is None or _SIGNED.fullmatch(request.header("authorization") or "") is None:
        return gateway_response(403, "Missing Authentication Token")
    connection = connections.get(match.group(1))
    if connection is None or connection.closing.done():
        return _gone()
    match request.method:
        case "POST":
            return await _post(connection, request.body)
        case "GET":
            return Response(200, json.dumps(_described(connection)).encode(), [("content-type", "application/json")])
        case "DELETE":
            connection.close(1000, "Connection Closed Normally")
            return Response(204)
        case _:
            return gateway_response(403, "Missing Authentication Token")


async def _post(connection: Connection, body: bytes) -> Response:
    if len(body) > MAX_MESSAGE:
        return gateway_response(413, f"a message may have at most {MAX_MESSAGE} bytes")
    try:
        await connection.send(body.decode())
    except UnicodeDecodeError:
        return gateway_response(400, "a message must be UTF-8: WebSocket APIs send only text frames")
    except Gone:
        return _gone()
    except ClientSlow:
        return gateway_response(429, "the client doesn't read its messages")
    return Response(200)


def _gone() -> Response:
    return gateway_response(410, "Gone")


def _described(connection: Connection) -> dict[str, object]:
    handshake = connection.connected.handshake
    return {
        "connectedAt": _iso(handshake.received),
        "identity": {"sourceIp": handshake.source_ip, "userAgent": handshake.header("user-agent") or ""},
        "lastActiveAt": _iso(connection.last_active),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
