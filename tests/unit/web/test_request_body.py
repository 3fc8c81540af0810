import asyncio

import pytest
from starlette.types import Message, Scope

from tenantgate.observability.redaction import CarriedSecrets
from tenantgate.web.errors import BodyTooLarge, MalformedBody, RequestTooSlow
from tenantgate.web.request_body import BODY_DEADLINE_KEY, LONGEST_BODY, bounded, header

DISCONNECT: Message = {"type": "http.disconnect"}

pytestmark = pytest.mark.anyio


def chunk(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def received(*messages: Message, announced: bytes | None = None, deadline: float | None = None) -> list[Message]:
    """Read these messages through the limits. Waits forever after the last one."""
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    scope: Scope = {"headers": [] if announced is None else [(b"content-length", announced)]}
    if deadline is not None:
        scope[BODY_DEADLINE_KEY] = asyncio.get_running_loop().time() + deadline
    limited = bounded(scope, receive, CarriedSecrets([], b""))
    return [await limited() for _ in range(len(messages) + (deadline is not None))]


async def test_a_body_of_exactly_the_limit_is_unchanged() -> None:
    messages = (chunk(b"a" * (LONGEST_BODY - 1), more=True), chunk(b"b"))

    assert await received(*messages, announced=str(LONGEST_BODY).encode()) == list(messages)


@pytest.mark.parametrize("announced", [b"65537", b"9" * 30])
async def test_a_body_that_is_announced_as_too_long_is_refused_before_it_is_read(announced: bytes) -> None:
    with pytest.raises(BodyTooLarge):
        await received(DISCONNECT, announced=announced)


@pytest.mark.parametrize("announced", [None, b"1", b"-1", b"x", "\u0661".encode()])
async def test_a_body_that_grows_too_long_is_refused_for_any_announced_length(announced: bytes | None) -> None:
    with pytest.raises(BodyTooLarge):
        await received(chunk(b"a" * LONGEST_BODY, more=True), chunk(b"b"), announced=announced)


async def test_an_incomplete_body_is_refused() -> None:
    with pytest.raises(MalformedBody):
        await received(chunk(b"a", more=True), DISCONNECT)


async def test_a_client_may_disconnect_after_the_body() -> None:
    assert await received(chunk(b"a"), DISCONNECT) == [chunk(b"a"), DISCONNECT]


async def test_a_body_that_misses_its_deadline_is_refused() -> None:
    with pytest.raises(RequestTooSlow):
        await received(chunk(b"a", more=True), deadline=0.01)


async def test_the_deadline_ends_with_the_body() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(received(chunk(b"a"), deadline=0.01), 0.1)


async def test_a_header_is_the_first_of_its_name() -> None:
    scope: Scope = {"headers": [(b"a", b"1"), (b"b", b"\xe4"), (b"b", b"2")]}

    assert (header(scope, b"a"), header(scope, b"b"), header(scope, b"c")) == ("1", "ä", None)
