"""Responses of a WebSocket API's functions, and the notes about subprotocols."""

from __future__ import annotations

import json

import pytest

from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.responses.websocket import from_connect, from_message, protocol_note, selected_protocol

NONE = "but $connect selected no subprotocol, so a browser closes the connection"
FOREIGN = "but $connect selected a subprotocol that wasn't offered, so clients close the connection"


@pytest.mark.parametrize(
    ("offered", "selected", "note"),
    [
        (None, None, ""),
        ("", None, ""),
        ("bearer, a.b.c", "bearer", ""),
        ("graphql-ws,bearer,a.b.c", "graphql-ws", ""),
        ("bearer, a.b.c", None, NONE),
        ("bearer, a.b.c", "Bearer", FOREIGN),
        (None, "bearer", FOREIGN),
    ],
)
def test_the_note_about_the_subprotocol(offered: str | None, selected: str | None, note: str) -> None:
    assert protocol_note(offered, selected) == note


def test_only_the_subprotocol_of_connects_headers_reaches_the_client() -> None:
    headers = {"SEC-WebSocket-Protocol": "bearer", "Set-Cookie": "a=b", "Upgrade": "other"}
    response = from_connect(json.dumps({"statusCode": 200, "headers": headers}).encode())
    assert response.headers == [("sec-websocket-protocol", "bearer")]
    assert selected_protocol(response) == "bearer"


@pytest.mark.parametrize("given", [None, "text", [], {}, {"statusCode": 99}, {"statusCode": "x"}, {"statusCode": True}])
def test_what_connect_may_not_return(given: object) -> None:
    with pytest.raises(MalformedResponse):
        from_connect(json.dumps(given).encode())


def test_a_header_can_not_end_the_line() -> None:
    given = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "bearer\r\nSet-Cookie: a=b"}}
    with pytest.raises(MalformedResponse, match="line break"):
        from_connect(json.dumps(given).encode())


def test_a_message_without_a_route_response_may_return_anything() -> None:
    for given in (None, "text", {"statusCode": 99}):
        assert from_message(json.dumps(given).encode(), responds=False).body == b""
    with pytest.raises(MalformedResponse):
        from_message(b"null", responds=True)


@pytest.mark.parametrize(("size", "valid"), [(128 * 1024, True), (128 * 1024 + 1, False)])
def test_the_longest_response_to_a_message(size: int, valid: bool) -> None:
    raw = json.dumps({"statusCode": 200, "body": "x" * size}).encode()
    if valid:
        assert len(from_message(raw, responds=True).body) == size
    else:
        with pytest.raises(MalformedResponse, match="131073 bytes; a message may have at most 131072"):
            from_message(raw, responds=True)
