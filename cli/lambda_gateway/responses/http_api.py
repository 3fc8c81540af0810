"""What a client is answered: a function's answer as HTTP API reads it, and the gateway's own words.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html, "Lambda function
response for format 2.0".
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field

_DEFAULT_TYPE = "text/plain; charset=utf-8"
# The gateway's own, or the connection's: a function can't set them.
_OWNED = frozenset(
    {"connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "apigw-requestid"}
)


class MalformedAnswer(Exception):
    """The function answered what API Gateway can't turn into a response: the client gets a 500."""


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


def gateway_message(status: int, message: str) -> Response:
    """The gateway's own answer, `{"message": …}`."""
    return Response(status, json.dumps({"message": message}, separators=(",", ":")).encode(), [_JSON])


_JSON = ("content-type", "application/json")


def bad_request() -> Response:
    return gateway_message(400, "Bad Request")


def unauthorized() -> Response:
    return gateway_message(401, "Unauthorized")


def forbidden() -> Response:
    return gateway_message(403, "Forbidden")


def not_found() -> Response:
    return gateway_message(404, "Not Found")


def too_large() -> Response:
    return gateway_message(413, "Request Entity Too Large")


def headers_too_large() -> Response:
    return gateway_message(431, "Request Header Fields Too Large")


def internal_error() -> Response:
    return gateway_message(500, "Internal Server Error")


def unavailable() -> Response:
    return gateway_message(503, "Service Unavailable")


def from_answer(raw: bytes) -> Response:
    """The response that a function's answer (JSON) stands for. Raises MalformedAnswer.

    Without `statusCode` the whole answer is the body, 200 and application/json.
    """
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise MalformedAnswer("the answer isn't JSON") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = answer.encode() if isinstance(answer, str) else raw
        return Response(200, body, [_JSON])
    headers = read_headers(answer.get("headers"))
    body = read_body(answer.get("body"), answer.get("isBase64Encoded"))
    if body and all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", _DEFAULT_TYPE))
    cookies = answer.get("cookies")
    if cookies is not None:
        if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
            raise MalformedAnswer("`cookies` must be a list of strings")
        headers.extend(("set-cookie", cookie) for cookie in cookies)
    return Response(read_status(answer["statusCode"]), body, headers)


def read_status(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise MalformedAnswer(f"`statusCode` must be a number between 200 and 599, not {value!r}")
    return value


def read_headers(value: object) -> list[tuple[str, str]]:
    if value is None:
        return []
    if not isinstance(value, dict):
        raise MalformedAnswer("`headers` must be an object")
    headers: list[tuple[str, str]] = []
    for name, content in value.items():
        if isinstance(content, bool):
            content = str(content).lower()  # noqa: PLW2901
        if not isinstance(content, str | int | float):
            raise MalformedAnswer(f"header {name} must be a string, a number or a boolean")
        if any(character in str(content) for character in "\r\n\0"):
            raise MalformedAnswer(f"header {name} has a line break in it")
        if name.lower() not in _OWNED:
            headers.append((name.lower(), str(content)))
    return headers


def read_body(value: object, is_base64: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise MalformedAnswer(f"`body` must be a string, not {type(value).__name__}: serialize it first")
    if is_base64 is not True:
        return value.encode("utf-8", "replace")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise MalformedAnswer("`body` isn't base64, though `isBase64Encoded` says so") from error
