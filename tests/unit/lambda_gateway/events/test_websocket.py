"""The events of a WebSocket API, compared with those that API Gateway sends."""

from __future__ import annotations

import json
from typing import Any, cast

from lambda_gateway.events.authorizer import authorizer_event
from lambda_gateway.events.websocket import Connected, Handshake, connect_event, disconnect_event, message_event
from lambda_gateway.model import Api, Authorizer, Kind, Payload, Route
from tests.fixtures.authorizer.events import authorizer_event as real_event

API = Api("Chat", (), {}, kind=Kind.WEBSOCKET, id="w5s9o2c4k8", stage="live", selection=("action",))
CONTEXT = {"tenant_id": "org-1", "principalId": "user-1", "integrationLatency": 3}


def handshake() -> Handshake:
    headers = [("host", "evil.example"), ("authorization", "Bearer x"), ("user-agent", "test/1")]
    return Handshake("GET", "/live", "room=7&room=8", headers, address="127.0.0.1:3001", source_ip="127.0.0.9")


def context_of(event: dict[str, object]) -> dict[str, Any]:
    return cast("dict[str, Any]", event["requestContext"])


def test_the_authorizers_event_has_the_members_of_a_real_one() -> None:
    gate = Authorizer("Gate", "Guard", (), 0, Payload.REQUEST, simple=False)
    event = authorizer_event(API, gate, handshake(), Route("$connect", "", "Chat"), {}, identity=())
    real = real_event("websocket", "x")
    assert set(event) == set(real)
    assert set(context_of(event)) == set(real["requestContext"])
    assert event["methodArn"] == "arn:aws:execute-api:us-east-1:123456789012:w5s9o2c4k8/live/$connect"
    assert event["stageVariables"] == {}
    assert event["multiValueQueryStringParameters"] == {"room": ["7", "8"]}
    assert context_of(event)["eventType"] == "CONNECT"


def test_no_host_header_chooses_the_address_that_functions_send_to() -> None:
    connected = Connected(handshake(), CONTEXT)
    for event in (
        connect_event(API, connected),
        message_event(API, connected, "send", "{}", "r-1"),
        disconnect_event(API, connected, 1000, ""),
    ):
        assert context_of(event)["domainName"] == "127.0.0.1:3001"
        assert context_of(event)["authorizer"] == CONTEXT
        assert json.dumps(event)


def test_the_event_of_connect() -> None:
    event = connect_event(API, Connected(handshake(), CONTEXT))
    assert event["queryStringParameters"] == {"room": "8"}
    assert event["isBase64Encoded"] is False
    assert "stageVariables" not in event
    assert context_of(event)["routeKey"] == "$connect"
    assert "authorizer" not in context_of(connect_event(API, Connected(handshake())))


def test_the_event_of_a_message() -> None:
    event = message_event(API, Connected(handshake()), "send", '{"requestContext": {"authorizer": "forged"}}', "r-1")
    context = context_of(event)
    assert (context["routeKey"], context["eventType"], context["requestId"]) == ("send", "MESSAGE", "r-1")
    assert (event["body"], event["isBase64Encoded"]) == ('{"requestContext": {"authorizer": "forged"}}', False)
    assert "authorizer" not in context
    assert "headers" not in event


def test_the_event_of_the_end() -> None:
    context = context_of(disconnect_event(API, Connected(handshake()), 1009, "too long"))
    assert (context["eventType"], context["disconnectStatusCode"], context["disconnectReason"]) == (
        "DISCONNECT",
        1009,
        "too long",
    )
    assert context["identity"] == {"sourceIp": "127.0.0.9", "userAgent": "test/1"}
