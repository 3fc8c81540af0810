"""Credentials in odd places, events in odd shapes, and what exactly is answered to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenantgate.authorizer.events import MalformedEvent, read_event
from tenantgate.authorizer.responses import deny_all, response
from tenantgate.observability.logging import configure_logging
from tests.fixtures.authorizer.events import SHAPES, authorizer_event
from tests.fixtures.authorizer.guarded import authorizer, token
from tests.fixtures.authorizer.integrations import status_told
from tests.fixtures.web.setup import log_lines


@pytest.fixture(autouse=True)
def _json_log() -> None:
    configure_logging(level="INFO", service="authorizer")


@pytest.mark.parametrize(
    ("offered", "status"),
    [
        pytest.param("bearer, {token}", 200, id="alone"),
        pytest.param("graphql-ws, bearer, {token}", 200, id="behind-the-applications"),
        pytest.param("bearer,{token},graphql-ws", 200, id="before-the-applications"),
        pytest.param("a, Bearer,\t{token} , b", 200, id="in-between"),
        pytest.param("{token}", 401, id="no-pair"),
        pytest.param("{token}, bearer", 401, id="the-wrong-way-round"),
        pytest.param("bearer, graphql-ws, {token}", 401, id="apart"),
        pytest.param("bearer, {token}, bearer, {token}", 401, id="twice"),
        pytest.param("bearer, {token}, bearer", 401, id="a-second-bearer"),
        pytest.param("bearer, bearer", 401, id="bearer-as-the-token"),
        pytest.param("bearer,", 401, id="nothing"),
        pytest.param("notbearer, {token}", 401, id="another-name"),
    ],
)
def test_a_browsers_websocket_brings_the_token_among_its_subprotocols(offered: str, status: int) -> None:
    event = authorizer_event("websocket", None)
    event["headers"]["Sec-WebSocket-Protocol"] = offered.replace("{token}", token())
    assert status_told("websocket", event, lambda: authorizer().decide(event)) == status


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
    """RFC 6455 §11.3.4: the header may come several times in a request."""
    event = authorizer_event("websocket", None)
    sent = [line.replace("{token}", token()) for line in lines]
    if sent:
        event["headers"]["Sec-WebSocket-Protocol"] = sent[-1]
    event["multiValueHeaders"]["Sec-WebSocket-Protocol"] = sent
    assert status_told("websocket", event, lambda: authorizer().decide(event)) == status


def test_a_websockets_token_in_two_headers_is_refused() -> None:
    event = authorizer_event("websocket", token())
    event["headers"]["Sec-WebSocket-Protocol"] = "graphql-ws"
    assert status_told("websocket", event, lambda: authorizer().decide(event)) == 200
    event["headers"]["Sec-WebSocket-Protocol"] = f"bearer, {token()}"
    assert status_told("websocket", event, lambda: authorizer().decide(event)) == 401


@pytest.mark.parametrize("operation", ["EVENT_CONNECT", "EVENT_SUBSCRIBE", "EVENT_PUBLISH"])
def test_appsync_events_are_denied_and_the_line_says_why(operation: str, capsys: pytest.CaptureFixture[str]) -> None:
    # As documented: no query but the operation and, unless it connects, the channel.
    event = authorizer_event("appsync", token())
    del event["requestContext"]["queryString"], event["requestContext"]["operationName"]
    event["requestContext"] |= {"operation": operation, "channelNamespaceName": "news", "channel": "/news/latest"}
    answer: Any = authorizer().decide(event)
    assert answer["isAuthorized"] is False
    [line] = log_lines(capsys.readouterr().out)
    assert line["context"]["reason"] == "malformed_event"
    assert "AppSync Events isn't supported" in line["context"]["finding"]


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "websocket"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda event: event["headers"].update(authorization="Bearer x"), id="two-spellings"),
        pytest.param(lambda event: event["multiValueHeaders"]["Authorization"].append("Bearer x"), id="two-values"),
        pytest.param(
            lambda event: event["multiValueHeaders"].update(authorization=["Bearer x"]), id="two-spellings-of-values"
        ),
    ],
)
def test_a_credential_that_is_sent_twice_is_refused(shape: str, spoil: Callable[[Any], None]) -> None:
    event = authorizer_event(shape, token())
    spoil(event)
    assert status_told(shape, event, lambda: authorizer().decide(event)) == 401


@pytest.mark.parametrize(
    "scheme", [pytest.param(text, id=text or "none") for text in ("", "Basic ", "Bearer  Bearer ", "DPoP ")]
)
@pytest.mark.parametrize("shape", ["rest-token", "rest-request", "http-1.0", "http-2.0"])
def test_the_header_says_bearer_and_a_token(shape: str, scheme: str) -> None:
    event = json.loads(json.dumps(authorizer_event(shape, token())).replace("Bearer ", scheme))
    assert status_told(shape, event, lambda: authorizer().decide(event)) == 401


@pytest.mark.parametrize("order", [0, 1])
def test_two_authorization_headers_joined_by_an_http_api_are_refused(order: int) -> None:
    event = authorizer_event("http-2.0", token())
    pair = [f"Bearer {token()}", f"Bearer {token(sub='another')}"]
    event["headers"]["authorization"] = ",".join(pair[::-1] if order else pair)
    assert status_told("http-2.0", event, lambda: authorizer().decide(event)) == 401


@pytest.mark.parametrize("type_", ["OTHER", "", 1, None, "token", "request"])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "appsync"])
def test_an_event_of_another_type_is_of_no_shape(shape: str, type_: object) -> None:
    with pytest.raises(MalformedEvent, match="no known shape"):
        read_event(authorizer_event(shape, token()) | {"type": type_})


def test_appsyncs_members_with_a_type_are_of_no_shape() -> None:
    event = authorizer_event("appsync", token())
    assert read_event(event).kind == "appsync"
    with pytest.raises(MalformedEvent, match="no known shape"):
        read_event(event | {"type": "OTHER"})


@pytest.mark.parametrize("member", ["apiId", "queryString", "requestId"])
def test_appsync_without_a_member_is_malformed(member: str) -> None:
    event = authorizer_event("appsync", token())
    del event["requestContext"][member]
    with pytest.raises(MalformedEvent) as refused:
        read_event(event)
    assert refused.value.kind == "appsync"


@pytest.mark.parametrize("place", ["k2j4h6g8f0", "live", "GET"])
@pytest.mark.parametrize("character", ["X", "*", "?", "{", "}"])
def test_a_wildcard_in_an_arns_api_stage_or_method_is_refused(place: str, character: str) -> None:
    event = authorizer_event("rest-token", token())
    event["methodArn"] = event["methodArn"].replace(place, f"{place}{character}")
    if character == "X":
        # A letter like any other.
        read = read_event(event)
        assert f"{place}X" in (read.api_id, read.arn and read.arn.stage, read.method)
        return
    with pytest.raises(MalformedEvent):
        read_event(event)


@pytest.mark.parametrize("place", ["arn:aws", "eu-central-1", "210987654321"])
@pytest.mark.parametrize("character", ["/", "*", "?", "{"])
def test_an_arn_whose_path_begins_in_two_places_is_refused(place: str, character: str) -> None:
    event = authorizer_event("rest-token", token())
    event["methodArn"] = event["methodArn"].replace(place, f"{place}{character}admin")
    with pytest.raises(MalformedEvent):
        read_event(event)


ARN = "arn:aws:execute-api:eu-central-1:210987654321:k2j4h6g8f0/live/GET/orders/42"


def test_a_refused_tenant_is_denied_the_whole_stage() -> None:
    assert deny_all(ARN.removesuffix("GET/orders/42")) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": "execute-api:Invoke",
                "Effect": "Deny",
                "Resource": "arn:aws:execute-api:eu-central-1:210987654321:k2j4h6g8f0/live/*",
            }
        ],
    }


def test_an_unknown_event_is_answered_with_every_forms_denial() -> None:
    assert response("unknown", False, principal_id="unauthenticated", policy=None, context={"reason": "x"}) == {
        "isAuthorized": False,
        "principalId": "unauthenticated",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}],
        },
        "context": {"reason": "x"},
    }


@pytest.mark.parametrize("kind", ["rest-token", "rest-request", "http-1.0", "http-2.0-policy", "websocket"])
def test_a_malformed_event_is_answered_with_a_deny(kind: Any) -> None:
    said = response(kind, False, principal_id="unauthenticated", policy=None, context={})
    assert said["policyDocument"]["Statement"] == [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}]
    assert "isAuthorized" not in said


def test_a_websocket_is_allowed_or_denied_its_own_route() -> None:
    for scope, effect in (("orders:read", "Allow"), ("other", "Deny")):
        event = authorizer_event("websocket", token(scope=scope))
        said: Any = authorizer().decide(event)
        assert said["policyDocument"]["Statement"] == [
            {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
        ]
