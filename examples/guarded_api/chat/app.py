"""A WebSocket API. The authorizer checks the token when a client connects, and every later event repeats its context.

Browsers send the token as a subprotocol: `new WebSocket(url, ["bearer", token])`.
"""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import boto3

type Event = dict[str, Any]
type Response = dict[str, Any]


def lambda_handler(event: Event, _context: object) -> Response:
    caller = event["requestContext"]["authorizer"]
    match event["requestContext"]["routeKey"]:
        case "$connect":
            return connect(event)
        case "$disconnect":
            return {"statusCode": 200}
        case _ if time.time() >= int(caller["expires_at"]):
            # API Gateway calls the authorizer only for $connect: an open connection outlives its token.
            connections().delete_connection(ConnectionId=event["requestContext"]["connectionId"])
            return {"statusCode": 200}
        case "say":
            return say(event, caller)
        case "whoami":
            # The route has a route response, so that API Gateway sends the body to the client.
            return {"statusCode": 200, "body": json.dumps(seen_by(caller))}
        case _:
            return {
                "statusCode": 200,
                "body": json.dumps({"message": 'send {"action": "say"} or {"action": "whoami"}'}),
            }


def connect(event: Event) -> Response:
    """Accept the connection. A browser requires that the response selects one of the subprotocols that it offered."""
    headers = {name.lower(): value for name, value in event["headers"].items()}
    offered = [protocol.strip() for protocol in headers.get("sec-websocket-protocol", "").split(",")]
    # Never select the subprotocol that is the token: responses are logged.
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "bearer"} if "bearer" in offered else {}}


def say(event: Event, caller: dict[str, str]) -> Response:
    """Send the text back through the connection, as a function can do at any time."""
    text = json.loads(event["body"]).get("text")
    message = json.dumps({"text": text, **seen_by(caller)})
    connections().post_to_connection(ConnectionId=event["requestContext"]["connectionId"], Data=message.encode())
    return {"statusCode": 200}


def seen_by(caller: dict[str, str]) -> dict[str, str]:
    return {"tenant_id": caller["tenant_id"], "user_id": caller["user_id"]}


@cache
def connections() -> Any:
    """Return the client for open connections. AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI has its address."""
    return boto3.client("apigatewaymanagementapi")
