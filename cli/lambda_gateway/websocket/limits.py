"""The limits of WebSocket APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

from dataclasses import dataclass

from lambda_gateway.responses.websocket import MAX_MESSAGE

# Bytes of a message and of each of its frames. The server closes a connection that exceeds them with code 1009.
SIZE_LIMITS = (MAX_MESSAGE, 32 * 1024)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Seconds after which a connection is closed.

    idle    without a message in either direction
    total   since it was opened
    """

    idle: float = 600.0
    total: float = 7200.0


# Messages of one connection that are handled at the same time; the server doesn't read further ones until one ends.
MAX_PENDING = 16
# Seconds that a message to a client waits if the client doesn't read.
SEND_TIMEOUT = 10.0
# Seconds for the functions of $disconnect when the gateway stops.
STOP_SECONDS = 2.0
