"""The events of a WebSocket API, for its authorizer and its functions.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambda_gateway.events.request import Request, api_gateway_time, new_request_id
from lambda_gateway.events.rest_api import multi_headers, multi_query
from lambda_gateway.model import Api

CONNECT, DISCONNECT = "$connect", "$disconnect"


@dataclass(slots=True)
class Handshake(Request):
    """The request that opens a connection.

    connection_id  identifies the connection, and can't be guessed: it is all that a sender of messages needs
    address        `host:port` of the server, which no client can choose
    """

    connection_id: str = field(default_factory=new_request_id)
    address: str = "localhost"


@dataclass(frozen=True, slots=True)
class Connected:
    """The facts of an open connection that its events repeat. `authorizer` is `requestContext.authorizer`."""

    handshake: Handshake
    authorizer: Mapping[str, object] | None = None


def handshake_event(api: Api, handshake: Handshake) -> dict[str, object]:
    """Build the members that the events for the authorizer and for `$connect` share."""
    headers, query = multi_headers(handshake), multi_query(handshake.query)
    context = _context(api, Connected(handshake), CONNECT, "CONNECT", handshake.request_id)
    event: dict[str, object] = {
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "stageVariables": dict(api.stage_variables) or None,
        "requestContext": context,
    }
    return event


def connect_event(api: Api, connected: Connected) -> dict[str, object]:
    """Build the event for the function of `$connect`."""
    event = {name: value for name, value in handshake_event(api, connected.handshake).items() if value is not None}
    context = event["requestContext"]
    if connected.authorizer is not None and isinstance(context, dict):
        context["authorizer"] = dict(connected.authorizer)
    return event | {"isBase64Encoded": False}


def message_event(api: Api, connected: Connected, route_key: str, body: str, request_id: str) -> dict[str, object]:
    """Build the event of a message."""
    context = _context(api, connected, route_key, "MESSAGE", request_id) | {"messageId": new_request_id()}
    return {**_variables(api), "requestContext": context, "body": body, "isBase64Encoded": False}


def disconnect_event(api: Api, connected: Connected, code: int, reason: str) -> dict[str, object]:
    """Build the event of the end of a connection, with the code and reason of its close frame."""
    handshake = connected.handshake
    headers = {"Host": handshake.address, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    context = _context(api, connected, DISCONNECT, "DISCONNECT", new_request_id())
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        **_variables(api),
        "requestContext": context | {"disconnectStatusCode": code, "disconnectReason": reason},
        "isBase64Encoded": False,
    }


def _variables(api: Api) -> dict[str, object]:
    return {"stageVariables": dict(api.stage_variables)} if api.stage_variables else {}


def _context(api: Api, connected: Connected, route_key: str, event_type: str, request_id: str) -> dict[str, object]:
    handshake, now = connected.handshake, time.time()
    context: dict[str, object] = {"routeKey": route_key}
    if connected.authorizer is not None:
        context["authorizer"] = dict(connected.authorizer)
    return context | {
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": api_gateway_time(now),
        "messageDirection": "IN",
        "stage": api.stage,
        "connectedAt": int(handshake.received * 1000),
        "requestTimeEpoch": int(now * 1000),
        "identity": {"userAgent": handshake.header("user-agent") or "", "sourceIp": handshake.source_ip},
        "requestId": request_id,
        "domainName": handshake.address,
        "connectionId": handshake.connection_id,
        "apiId": api.id,
    }
