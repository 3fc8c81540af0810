"""The ends of WebSocket connections: by the client, by a limit, by a reload, by the end of the gateway."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from lambda_gateway.template.reader import read_template
from lambda_gateway.websocket.limits import Lifetime
from tests.fixtures.gateway.websockets import (
    HANDLERS,
    PLAIN,
    SIGNED,
    address,
    client,
    noted,
    say,
)
from tests.functional.gateway.conftest import Serve

pytestmark = pytest.mark.anyio


SIZES: tuple[tuple[Any, int | None], ...] = (
    ("x" * (32 * 1024), None),
    ("x" * (32 * 1024 + 1), 1009),
    (["x" * (32 * 1024)] * 4, None),
    ([*["x" * (32 * 1024)] * 4, "x"], 1009),
    (b"binary", 1003),
)


async def test_sizes_and_binary_messages(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        for sent, code in SIZES:
            async with client(running.url) as connection:
                await connection.send(sent)
                if code is None:
                    assert json.loads(await connection.recv())["message"] == "Forbidden"
                    continue
                with pytest.raises(ConnectionClosed) as closed:
                    await connection.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == code
        ended = await noted(running.output, len(SIZES))
        codes = [event["requestContext"]["disconnectStatusCode"] for event in ended]
        assert sorted(codes) == [1000, 1000, 1003, 1009, 1009]


@pytest.mark.parametrize("lifetime", [Lifetime(idle=0.4), Lifetime(total=0.4)], ids=["idle", "total"])
async def test_a_connection_ends_when_its_time_is_over(serve: Serve, lifetime: Lifetime) -> None:
    async with serve(PLAIN, lifetime=lifetime, **HANDLERS) as running, client(running.url) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 10)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
        (ended,) = await noted(running.output)
        assert ended["requestContext"]["disconnectStatusCode"] == 1001


async def test_messages_in_either_direction_keep_a_connection(serve: Serve) -> None:
    async with serve(PLAIN, lifetime=Lifetime(idle=2.0), **HANDLERS) as running, client(running.url) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        for _ in range(4):
            await asyncio.sleep(0.7)
            posted = await running.client.post(f"/live/@connections/{connection_id}", content="x", headers=SIGNED)
            assert posted.status_code == 200


async def test_a_client_that_breaks_off_is_reported_once(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        async with client(running.url) as connection:
            await say(connection, action="echo")
            connection.transport.abort()
        (ended,) = await noted(running.output)
        assert ended["requestContext"]["disconnectStatusCode"] in (1005, 1006)


async def test_stopping_closes_connections_and_reports_their_end(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        await say(connection, action="echo")
        processes = [pid for function in running.gateway.functions.values() for pid in function.pids]
        await running.gateway.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
        (ended,) = await noted(running.output)
        assert ended["requestContext"]["disconnectStatusCode"] == 1001
        assert processes
        assert [pid for function in running.gateway.functions.values() for pid in function.pids] == []


async def test_a_reload_keeps_the_connections_of_an_unchanged_api_and_closes_the_others(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        await say(connection, action="echo")
        path = running.folder / "template.yaml"
        running.gateway.load(read_template(path))
        running.gateway.restart(["Echo"])
        await say(connection, action="echo")
        path.write_text(PLAIN.replace("StageName: live", "StageName: other"))
        running.gateway.load(read_template(path))
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        async with client(address(running.url, "other")) as again:
            await say(again, action="echo")
