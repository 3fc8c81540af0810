"""Convert the opening handshake between ASGI and the gateway."""

from __future__ import annotations

from dataclasses import fields

from lambda_gateway.asgi import Scope, Send, read_request
from lambda_gateway.events.request import Request
from lambda_gateway.events.websocket import Handshake
from lambda_gateway.responses.response import Response


def read_handshake(scope: Scope) -> Handshake:
    """Build the request. Its address is the server's own: a `Host` header can't lead a function to another server."""
    request = read_request(scope)
    values = {field.name: getattr(request, field.name) for field in fields(Request)}
    return Handshake(**values, address=f"localhost:{scope['server'][1]}")


async def accept(send: Send, protocol: str | None) -> None:
    """Open the connection. `protocol` is the selected subprotocol."""
    await send({"type": "websocket.accept", "subprotocol": protocol})


async def reject(send: Send, response: Response) -> None:
    """Respond to the handshake without opening a connection."""
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in response.headers
    ]
    await send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body})
