"""Authorizer events as the integrations send them (tests/events), with a token of ours in its place."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_EVENTS = Path(__file__).parents[1] / "events"
# Shape → the file with its event.
FILES = {
    "rest-token": "rest_token",
    "rest-request": "rest_request",
    "http-1.0": "http_1",
    "http-2.0": "http_2",
    "http-2.0-policy": "http_2_policy",
    "websocket": "websocket_connect",
    "appsync": "appsync",
}
SHAPES = tuple(FILES)


@cache
def _text(shape: str) -> str:
    return (_EVENTS / f"{FILES[shape]}.json").read_text(encoding="utf-8")


def authorizer_event(shape: str, token: str | None) -> dict[str, Any]:
    """The shape's event with this token; without one, as a client that sends no credential makes it."""
    text = _text(shape)
    if token is not None:
        event: dict[str, Any] = json.loads(text.replace("{token}", json.dumps(token)[1:-1]))
        return event
    event = json.loads(text)
    for members in ("headers", "multiValueHeaders", "requestHeaders"):
        for name in [name for name in event.get(members, {}) if name.lower() == "authorization"]:
            del event[members][name]
    if "authorizationToken" in event:
        event["authorizationToken"] = ""
    if "identitySource" in event:
        event["identitySource"] = None
    return event


def request_id_of(event: dict[str, Any]) -> str | None:
    """API Gateway's id of the request, which the client sees."""
    found: str | None = event.get("requestContext", {}).get("requestId")
    return found
