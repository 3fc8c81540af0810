"""The credential of an event, wherever its shape carries it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenantgate.authorizer.events import read_event
from tenantgate.errors.access import AuthenticationRequired
from tests.fixtures.authorizer.events import SHAPES, authorizer_event
from tests.fixtures.authorizer.guarded import authorizer, token
from tests.fixtures.authorizer.integrations import client_status


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_its_credential_in_one_form(shape: str) -> None:
    assert read_event(authorizer_event(shape, "a.b.c")).authorization() == "Bearer a.b.c"
    assert read_event(authorizer_event(shape, None)).authorization() is None


def test_appsync_may_send_a_scheme() -> None:
    assert read_event(authorizer_event("appsync", "Basic x")).authorization() == "Basic x"


@pytest.mark.parametrize(
    ("offered", "status"),
    [
        pytest.param("bearer, {token}", 200, id="only-bearer"),
        pytest.param("graphql-ws, bearer, {token}", 200, id="after-the-applications"),
        pytest.param("bearer,{token},graphql-ws", 200, id="before-the-applications"),
        pytest.param("a, Bearer,\t{token} , b", 200, id="in-between"),
        pytest.param("{token}", 401, id="no-pair"),
        pytest.param("{token}, bearer", 401, id="the-wrong-way-round"),
        pytest.param("bearer, graphql-ws, {token}", 401, id="separated"),
        pytest.param("bearer, {token}, bearer, {token}", 401, id="twice"),
        pytest.param("bearer, {token}, bearer", 401, id="a-second-bearer"),
        pytest.param("bearer, bearer", 401, id="bearer-as-the-token"),
        pytest.param("bearer,", 401, id="nothing"),
        pytest.param("bearer", 401, id="no-token"),
        pytest.param("notbearer, {token}", 401, id="another-name"),
    ],
)
def test_a_browser_sends_the_token_among_the_subprotocols_of_a_websocket(offered: str, status: int) -> None:
    event = authorizer_event("websocket", None)
    event["headers"]["Sec-WebSocket-Protocol"] = offered.replace("{token}", token())
    assert client_status("websocket", event, lambda: authorizer().decide(event)) == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param(["graphql-ws", "bearer, {token}"], 200, id="the-pair-in-one-line"),
        pytest.param(["graphql-ws, bearer", "{token}"], 200, id="the-pair-in-two-lines"),
        pytest.param(["bearer, {token}", "bearer, {token}"], 401, id="twice"),
        pytest.param(["graphql-ws", "{token}"], 401, id="no-pair"),
        pytest.param([], 401, id="none"),
    ],
)
def test_subprotocols_in_several_lines_are_one_list(lines: list[str], status: int) -> None:
    """RFC 6455 §11.3.4: the header may occur several times in a request."""
    event = authorizer_event("websocket", None)
    sent = [line.replace("{token}", token()) for line in lines]
    if sent:
        event["headers"]["Sec-WebSocket-Protocol"] = sent[-1]
    event["multiValueHeaders"]["Sec-WebSocket-Protocol"] = sent
    assert client_status("websocket", event, lambda: authorizer().decide(event)) == status


def test_a_websockets_token_in_two_headers_is_rejected() -> None:
    event = authorizer_event("websocket", token())
    event["headers"]["Sec-WebSocket-Protocol"] = "graphql-ws"
    assert client_status("websocket", event, lambda: authorizer().decide(event)) == 200
    event["headers"]["Sec-WebSocket-Protocol"] = f"bearer, {token()}"
    assert client_status("websocket", event, lambda: authorizer().decide(event)) == 401


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "websocket"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda event: event["headers"].update(authorization="Bearer x"), id="two-spellings"),
        pytest.param(lambda event: event["multiValueHeaders"]["Authorization"].append("Bearer x"), id="two-values"),
        pytest.param(
            lambda event: event["multiValueHeaders"].update(authorization=["Bearer x"]), id="two-spellings-of-values"
        ),
    ],
)
def test_a_credential_that_is_sent_twice_is_rejected(shape: str, change: Callable[[Any], None]) -> None:
    event = authorizer_event(shape, token())
    change(event)
    with pytest.raises(AuthenticationRequired, match="sent more than once"):
        read_event(event).authorization()
    assert client_status(shape, event, lambda: authorizer().decide(event)) == 401


def test_a_header_is_found_in_any_letter_case_and_only_as_text() -> None:
    event = authorizer_event("http-2.0", None)
    for headers, value in (({"X-Id": "1"}, "1"), ({"x-ID": "1", "x-i": "2"}, "1"), ({"x-id": ["1"]}, None), ({}, None)):
        assert read_event(event | {"headers": headers}).header("x-id") == value
    not_headers: tuple[object, ...] = (None, [], "x-id: 1")
    for wrong in not_headers:
        assert read_event(event | {"headers": wrong}).header("x-id") is None


@pytest.mark.parametrize(
    "scheme", [pytest.param(text, id=text or "none") for text in ("", "Basic ", "Bearer  Bearer ", "DPoP ")]
)
@pytest.mark.parametrize("shape", ["rest-token", "rest-request", "http-1.0", "http-2.0"])
def test_the_header_must_contain_the_scheme_bearer_and_a_token(shape: str, scheme: str) -> None:
    event = json.loads(json.dumps(authorizer_event(shape, token())).replace("Bearer ", scheme))
    assert client_status(shape, event, lambda: authorizer().decide(event)) == 401


@pytest.mark.parametrize("order", [0, 1])
def test_two_authorization_headers_joined_by_an_http_api_are_rejected(order: int) -> None:
    event = authorizer_event("http-2.0", token())
    pair = [f"Bearer {token()}", f"Bearer {token(sub='another')}"]
    event["headers"]["authorization"] = ",".join(pair[::-1] if order else pair)
    assert client_status("http-2.0", event, lambda: authorizer().decide(event)) == 401
