"""WebSocket connections under load: many pending messages, clients that don't read, and an end in between."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from websockets.exceptions import ConnectionClosed

from lambda_gateway.template.reader import read_template
from lambda_gateway.websocket import connection as connections
from lambda_gateway.websocket.limits import MAX_PENDING
from tests.fixtures.gateway.websockets import ACCEPT, HANDLERS, HEAD, PLAIN, SIGNED, client, functions, route, say
from tests.functional.gateway.conftest import Serve

pytestmark = pytest.mark.anyio

SLOW = (
    HEAD
    + route("Connect", "$connect", "Accept")
    + route("Default", "$default", "Slow", responds=True)
    + functions("Accept", "Slow")
)
SLEEP = """
    import json, time
    def lambda_handler(event, context):
        time.sleep(json.loads(event["body"])["seconds"])
        return {"statusCode": 200, "body": event["body"]}
"""


async def test_more_messages_than_may_be_pending_are_all_handled(serve: Serve) -> None:
    count = MAX_PENDING * 3
    async with serve(SLOW, environments=2, accept=ACCEPT, slow=SLEEP) as running, client(running.url) as connection:
        for number in range(count):
            await connection.send(json.dumps({"seconds": 0.01, "number": number}))
        replies = {json.loads(await connection.recv())["number"] for _ in range(count)}
        assert replies == set(range(count))
        assert len(running.gateway.functions["Slow"].pids) <= 2


async def test_a_slow_message_delays_no_other_connection(serve: Serve) -> None:
    async with serve(SLOW, accept=ACCEPT, slow=SLEEP) as running, client(running.url) as slow:
        late = asyncio.create_task(say(slow, seconds=8))
        async with client(running.url) as quick:
            assert await say(quick, seconds=0) == {"seconds": 0}
            assert not late.done()
        late.cancel()


async def test_stopping_ends_a_message_in_progress(serve: Serve) -> None:
    async with serve(SLOW, accept=ACCEPT, slow=SLEEP) as running, client(running.url) as connection:
        await say(connection, seconds=0)
        await connection.send('{"seconds": 9}')
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await running.gateway.stop()
        assert time.monotonic() - began < 8
        with pytest.raises(ConnectionClosed):
            await connection.recv()


async def test_a_function_removed_by_a_reload_fails_the_message_and_not_the_gateway(serve: Serve) -> None:
    async with serve(SLOW, accept=ACCEPT, slow=SLEEP) as running, client(running.url) as connection:
        await say(connection, seconds=0)
        path = running.folder / "template.yaml"
        template = read_template(path)
        kept = {name: function for name, function in template.functions.items() if name != "Slow"}
        running.gateway.functions.load(kept)
        assert (await say(connection, seconds=0))["message"] == "Internal server error"
        ((name, error),) = running.failed
        assert (name, str(error)) == ("Slow", "Slow is no longer in the template")


async def test_a_client_that_does_not_read_is_reported_to_the_sender(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SEND_TIMEOUT", 0.3)
    async with serve(PLAIN, **HANDLERS) as running, client(running.url, max_queue=1) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        path = f"/live/@connections/{connection_id}"
        text = b"x" * (100 * 1024)
        for _ in range(200):
            posted = await running.client.post(path, content=text, headers=SIGNED)
            if posted.status_code != 200:
                break
        assert posted.status_code == 429
        assert posted.headers["x-amzn-errortype"] == "LimitExceededException"
        assert posted.json() == {"message": "the client doesn't read its messages"}
        connection.transport.abort()
