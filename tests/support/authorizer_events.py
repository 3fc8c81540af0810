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
# The same requests by a custom domain, whose base path is in the event's path and not in the ARN.
CUSTOM_DOMAINS = {
    "rest-request": "rest_request_custom_domain",
    "http-1.0": "http_1_custom_domain",
    "http-2.0": "http_2_custom_domain",
}


@cache
def _text(file: str) -> str:
    return (_EVENTS / f"{file}.json").read_text(encoding="utf-8")


def custom_domain_event(shape: str, token: str) -> dict[str, Any]:
    """The shape's event of a custom domain, with this token."""
    return _with_token(_text(CUSTOM_DOMAINS[shape]), token)


def _with_token(text: str, token: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(text.replace("{token}", json.dumps(token)[1:-1]))
    return event


def authorizer_event(shape: str, token: str | None) -> dict[str, Any]:
    """The shape's event with this token; without one, as a client that sends no credential makes it."""
    text = _text(FILES[shape])
    if token is not None:
        return _with_token(text, token)
    event: dict[str, Any] = json.loads(text)
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
