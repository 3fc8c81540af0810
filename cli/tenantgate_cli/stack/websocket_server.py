"""uvicorn's settings for WebSocket APIs, with API Gateway's limits."""

from __future__ import annotations

import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lambda_gateway.websocket.limits import SIZE_LIMITS

# uvicorn's lines about a rejected WebSocket handshake, and about one to an API without WebSockets. The gateway reports
# both as requests.
_REPORTED_ELSEWHERE = (
    "ASGI callable returned without completing handshake.",
    "Unsupported upgrade request.",
    "No supported WebSocket library detected.",
)


class _Protocol(WebSocketsSansIOProtocol):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # `websockets` can't read the handshake, such as one with a header line of more than 8 KB, and uvicorn would
            # leave the connection open without a response.
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
            self.transport.write(b"Connection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()


def websocket_settings() -> dict[str, Any]:
    """Return the settings of a server with WebSockets."""
    return {
        "ws": _Protocol,
        # A pair limits frames too: uvicorn passes it to `websockets` unchanged.
        "ws_max_size": SIZE_LIMITS,
        # API Gateway sends no pings and compresses nothing.
        "ws_ping_interval": None,
        "ws_per_message_deflate": False,
    }


def quiet_server_log() -> None:
    """Drop uvicorn's lines about requests that the gateway reports itself."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_REPORTED_ELSEWHERE)
