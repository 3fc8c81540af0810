"""Convert between ASGI messages and the gateway's requests and responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from lambda_gateway.events.request import Request
from lambda_gateway.model import Kind
from lambda_gateway.responses.response import Response

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 10 * 1024 * 1024


class ClientGone(Exception):
    """The client disconnected before its request was complete."""


def read_request(scope: Scope) -> Request:
    """Build the request, without its body. The handshake of a WebSocket is a GET request."""
    raw_path: bytes = (scope.get("raw_path") or scope["path"].encode()).split(b"?", 1)[0]
    # An HTTP API decodes the path before routing, and drops the part after a `?` that was encoded.
    path = unquote_to_bytes(raw_path).decode("utf-8", "replace").split("?", 1)[0]
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        source_ip=client[0] if client else "127.0.0.1",
        protocol=f"HTTP/{scope.get('http_version', '1.1')}",
        scheme=scope.get("scheme", "http"),
        encoded_path=raw_path.decode("utf-8", "replace"),
    )


def header_size(scope: Scope, kind: Kind) -> int:
    """Return the bytes that API Gateway limits: the headers' values, and except for a REST API the request line.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
    """
    values = sum(len(value) for _, value in scope["headers"])
    if kind is Kind.REST:
        return values
    path = (scope.get("raw_path") or scope["path"].encode()).split(b"?", 1)[0]
    query = len(scope["query_string"])
    target = len(path) + (query + 1 if query else 0)
    return values + len(scope.get("method", "GET")) + target + len("  HTTP/1.1")


async def read_body(request: Request, receive: Receive) -> bool:
    """Read the body into `request`. Return False if it is too long. Raises ClientGone."""
    declared = request.header("content-length")
    if declared is not None and declared.isdecimal() and int(declared) > MAX_BODY:
        return False
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            return False
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    request.body = b"".join(chunks)
    return True


async def send_response(send: Send, request: Request, response: Response) -> None:
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in response.headers
    ]
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if request.method == "HEAD" or response.status in (204, 304) else response.body
    await send({"type": "http.response.body", "body": body})
