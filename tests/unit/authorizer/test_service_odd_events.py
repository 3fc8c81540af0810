"""Malformed events: denied in a form that any integration reads, with one line at ERROR."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.authorizer.events import SHAPES, authorizer_event
from tests.fixtures.authorizer.guarded import authorizer, token
from tests.fixtures.web.setup import log_lines

pytestmark = pytest.mark.usefixtures("json_log")

LAMBDAS_OWN_ID = "f5b4cdd4-0d5a-4a9c-8f1e-0d8a5d4e6c11"

# The members that a shape requires.
REQUIRED = {
    "rest-token": ("type", "methodArn"),
    "rest-request": ("type", "methodArn", "requestContext", "httpMethod"),
    "http-1.0": ("type", "methodArn", "requestContext", "httpMethod"),
    "http-2.0": ("type", "routeArn", "requestContext"),
    "http-2.0-policy": ("type", "routeArn", "requestContext"),
    "websocket": ("type", "methodArn"),
    "appsync": ("authorizationToken", "requestContext"),
}
WRONG: list[Any] = [None, "", 7, True, [], {}, "arn:aws:execute-api:x", "arn:aws:s3:::a/b/GET/c", "\ud800"]


def status_of_broken(event: Any) -> int:
    """Return the status of any integration that reads the response."""
    try:
        response: Any = authorizer().decide(event)
    except Exception as failure:  # noqa: BLE001 - API Gateway sees no kinds of exceptions, only the text
        return 401 if str(failure) == "Unauthorized" else 500
    assert response.get("isAuthorized", False) is False
    if "policyDocument" in response:
        assert {statement["Effect"] for statement in response["policyDocument"]["Statement"]} == {"Deny"}
    return 403


@pytest.mark.parametrize("shape", SHAPES)
def test_an_event_without_a_required_member_is_denied(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    for member in REQUIRED[shape]:
        without = {name: value for name, value in authorizer_event(shape, token()).items() if name != member}
        for event in (without, *({**without, member: wrong} for wrong in WRONG)):
            assert status_of_broken(event) in (401, 403), (member, event.get(member))
            for line in log_lines(capsys.readouterr().out):
                assert line["message"] == "denied"
                assert "exception" not in line["context"]
                assert line["context"]["reason"] in ("malformed_event", "unknown_event", "authentication_required")


ODD_VERSIONS: list[Any] = ["", "1", "2.1", 2.0, None, []]
UNKNOWN: list[Any] = [
    *(None, 7, "x", [], {}, {"type": "TOKEN"}, {"type": "REQUEST"}, {"version": "2.0"}, {"version": "3.0"}),
    *({"type": "REQUEST", "version": version} for version in ODD_VERSIONS),
    *({"authorizationToken": "t", "requestContext": {}}, {"type": ["TOKEN"]}, {"type": {"a": 1}}),
]


@pytest.mark.parametrize("event", UNKNOWN, ids=range(len(UNKNOWN)))
def test_an_event_of_no_known_shape_is_denied_with_one_line(event: Any, capsys: pytest.CaptureFixture[str]) -> None:
    response: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)

    assert not response.get("isAuthorized", False)
    assert "Allow" not in str(response)
    [line] = log_lines(capsys.readouterr().out)
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", "denied", LAMBDAS_OWN_ID)
    assert line["context"]["reason"] in ("malformed_event", "unknown_event")


def test_a_malformed_event_is_denied_and_the_line_names_the_problem(capsys: pytest.CaptureFixture[str]) -> None:
    event = authorizer_event("http-2.0", token()) | {"stageVariables": {"tenantgate_answer": "polcy"}}
    response: Any = authorizer().decide(event, function_request_id=LAMBDAS_OWN_ID)
    assert response["isAuthorized"] is False
    reported = {"request_id": LAMBDAS_OWN_ID, "error_code": "SYS_003", "reason": "malformed_event"}
    assert response["context"] == reported
    [line] = log_lines(capsys.readouterr().out)
    assert (line["context"]["shape"], line["context"]["reason"]) == ("http-2.0", "malformed_event")
    assert "tenantgate_answer" in line["context"]["finding"]


@pytest.mark.parametrize("operation", ["EVENT_CONNECT", "EVENT_SUBSCRIBE", "EVENT_PUBLISH"])
def test_appsync_events_are_denied_and_the_line_names_the_reason(
    operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # As documented: no query except the operation and, unless it connects, the channel.
    event = authorizer_event("appsync", token())
    del event["requestContext"]["queryString"], event["requestContext"]["operationName"]
    event["requestContext"] |= {"operation": operation, "channelNamespaceName": "news", "channel": "/news/latest"}
    response: Any = authorizer().decide(event)
    assert response["isAuthorized"] is False
    [line] = log_lines(capsys.readouterr().out)
    assert line["context"]["reason"] == "malformed_event"
    assert "AppSync Events isn't supported" in line["context"]["finding"]
