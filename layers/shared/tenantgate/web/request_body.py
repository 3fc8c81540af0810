"""Limits on a request's body: its size, its time to arrive, and that it is complete."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope

from tenantgate.observability.redaction import CarriedSecrets
from tenantgate.web.errors import BodyTooLarge, MalformedBody, RequestTooSlow

LONGEST_BODY = 64 * 1024
# Set in a request's scope by the container's server: the deadline for the body, by the event loop's clock.
BODY_DEADLINE_KEY = "tenantgate.body_deadline"


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header of this lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


def bounded(scope: Scope, receive: Receive, carried: CarriedSecrets) -> Receive:
    """Wrap `receive` with the limits.

    It raises `BodyTooLarge`, `RequestTooSlow`, or `MalformedBody` for an incomplete body, as soon as that is known.
    """
    unread = LONGEST_BODY
    announced = header(scope, b"content-length")
    deadline: float | None = scope.get(BODY_DEADLINE_KEY)
    complete = False

    async def receive_bounded() -> Message:
        nonlocal unread, announced, complete
        if announced is not None:
            if announced.isascii() and announced.isdigit() and int(announced[:20]) > LONGEST_BODY:
                raise BodyTooLarge
            announced = None
        if complete or deadline is None:
            message = await receive()
        else:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTooSlow("the body") from None
        if message["type"] == "http.request":
            complete = not message.get("more_body", False)
            if chunk := message.get("body"):
                unread -= len(chunk)
                if unread < 0:
                    raise BodyTooLarge
                carried.add_body(chunk)
        elif not complete:
            raise MalformedBody("the client disconnected before its end")
        return message

    return receive_bounded
