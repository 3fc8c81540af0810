"""A response to the client, and the members that functions' responses to both kinds of API have."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field

# The gateway or the connection sets these headers: a function can't.
_RESERVED = frozenset(
    {"connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "apigw-requestid"}
)


class MalformedResponse(Exception):
    """API Gateway can't use the function's response: the client gets a 5xx."""


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


def load(raw: bytes) -> object:
    """Parse a function's response. Raises MalformedResponse."""
    try:
        return json.loads(raw)
    except ValueError as error:
        raise MalformedResponse("the response isn't JSON") from error


def read_status(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise MalformedResponse(f"`statusCode` must be a number between 200 and 599, not {value!r}")
    return value


def read_headers(value: object) -> list[tuple[str, str]]:
    """Return the headers with lower-case names, without those that a function can't set."""
    if value is None:
        return []
    if not isinstance(value, dict):
        raise MalformedResponse("`headers` must be an object")
    headers: list[tuple[str, str]] = []
    for name, content in value.items():
        if isinstance(content, bool):
            content = str(content).lower()  # noqa: PLW2901
        if not isinstance(content, str | int | float):
            raise MalformedResponse(f"header {name} must be a string, a number or a boolean")
        if any(character in str(content) for character in "\r\n\0"):
            raise MalformedResponse(f"header {name} contains a line break")
        if name.lower() not in _RESERVED:
            headers.append((name.lower(), str(content)))
    return headers


def read_body(value: object, is_base64: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise MalformedResponse(f"`body` must be a string, not {type(value).__name__}: serialize it first")
    if is_base64 is not True:
        return value.encode("utf-8", "replace")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise MalformedResponse("`body` isn't base64, though `isBase64Encoded` is true") from error
