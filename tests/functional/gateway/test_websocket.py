"""WebSocket APIs of the gateway, with a real client and functions in their own processes."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from tests.fixtures.gateway.websockets import (
    ECHO,
    HANDLERS,
    HEAD,
    PLAIN,
    address,
    client,
    functions,
    noted,
    route,
    say,
)
from tests.functional.gateway.conftest import Serve

pytestmark = pytest.mark.anyio


async def test_a_connection_from_its_handshake_to_its_end(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        async with client(running.url, user_agent_header="test/1") as connection:
            event = await say(connection, action="echo", text="grüezi")
            await connection.close(1000, "bye")
        (ended,) = await noted(running.output)
    context = event["requestContext"]
    assert json.loads(event["body"]) == {"action": "echo", "text": "grüezi"}
    assert event["isBase64Encoded"] is False
    assert {name: context[name] for name in ("routeKey", "eventType", "messageDirection", "stage", "apiId")} == {
        "routeKey": "echo",
        "eventType": "MESSAGE",
        "messageDirection": "IN",
        "stage": "live",
        "apiId": "local",
    }
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "test/1"}
    assert context["domainName"] == running.url.replace("http://127.0.0.1", "localhost")
    assert len(context["connectionId"]) == len(context["messageId"]) == 16
    assert context["connectedAt"] <= context["requestTimeEpoch"]
    closing = ended["requestContext"]
    assert closing["connectionId"] == context["connectionId"]
    assert (closing["routeKey"], closing["eventType"]) == ("$disconnect", "DISCONNECT")
    assert (closing["disconnectStatusCode"], closing["disconnectReason"]) == (1000, "bye")
    assert [(seen.method, seen.path, seen.status) for seen in running.handled] == [
        ("CONNECT", "/live", 101),
        ("MESSAGE", "echo", 200),
        ("CLOSE", "/live", 1000),
    ]
    assert running.failed == []


WITHOUT_ROUTE = (
    '{"action": "unknown"}',
    '{"action": 7}',
    '{"action": ["echo"]}',
    '{"action": null}',
    "{}",
    "not JSON",
    "",
    '["echo"]',
    '{"action": "$connect"}',
    '{"action": "$disconnect"}',
    '{"action": "$default"}',
    "[" * 100_000,
    "9" * 20_000,
)


async def test_a_message_that_names_no_route_is_forbidden_without_a_default_route(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        for sent in WITHOUT_ROUTE:
            await connection.send([sent[start : start + 30_000] for start in range(0, max(len(sent), 1), 30_000)])
            reply = json.loads(await connection.recv())
            assert (sent, reply["message"]) == (sent, "Forbidden")
            assert set(reply) == {"message", "connectionId", "requestId"}
        assert (await say(connection, action="echo"))["requestContext"]["connectionId"] == reply["connectionId"]
        # Not one of them reached a function.
        assert {seen.function for seen in running.handled} == {"Accept", "", "Echo"}
        assert running.output == []


async def test_every_other_message_goes_to_the_default_route(serve: Serve) -> None:
    template = HEAD + route("Default", "$default", "Echo", responds=True) + functions("Echo")
    async with serve(template, echo=ECHO) as running, client(running.url) as connection:
        for sent in ('{"action": "$connect"}', '{"action": "x"}', "plain text"):
            await connection.send(sent)
            event = json.loads(await connection.recv())
            assert (event["requestContext"]["routeKey"], event["body"]) == ("$default", sent)


@pytest.mark.parametrize(
    ("function", "status"),
    [
        ('return {"statusCode": 403, "body": "not you"}', 403),
        ('return {"statusCode": 302}', 302),
        ('return {"body": "no status"}', 502),
        ("return None", 502),
        ('raise RuntimeError("broken")', 502),
    ],
)
async def test_a_function_of_connect_that_refuses_or_fails(serve: Serve, function: str, status: int) -> None:
    handlers = {**HANDLERS, "accept": f"def lambda_handler(event, context):\n    {function}\n"}
    async with serve(PLAIN, **handlers) as running:
        with pytest.raises(InvalidStatus) as refused:
            async with client(running.url):
                pass
        assert refused.value.response.status_code == status
        # $disconnect belongs to connections that were open.
        assert [(seen.method, seen.status, seen.function) for seen in running.handled] == [
            ("CONNECT", status, "Accept")
        ]


async def test_a_function_that_fails_keeps_the_connection(serve: Serve) -> None:
    failing = 'def lambda_handler(event, context):\n    raise ValueError("secret detail")\n'
    async with serve(PLAIN, **{**HANDLERS, "echo": failing}) as running, client(running.url) as connection:
        for action in ("echo", "quiet"):
            reply = await say(connection, action=action)
            assert reply["message"] == "Internal server error"
            assert "secret" not in json.dumps(reply)
        assert [name for name, _ in running.failed] == ["Echo", "Echo"]


async def test_the_function_selects_the_subprotocol(serve: Serve) -> None:
    selecting = """
        def lambda_handler(event, context):
            return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "bearer", "X-Other": "dropped"}}
    """
    handlers = {**HANDLERS, "accept": selecting}
    offered = ["bearer", "token"]
    async with serve(PLAIN, **handlers) as running, client(running.url, subprotocols=offered) as connection:
        assert connection.subprotocol == "bearer"
        assert connection.response is not None
        assert "x-other" not in connection.response.headers
        assert [seen.note for seen in running.handled] == [""]


async def test_a_forgotten_subprotocol_is_noted(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url, subprotocols=["bearer", "a.b.c"]) as connection:
        assert connection.subprotocol is None
        (seen,) = running.handled
        assert (seen.status, seen.note) == (
            101,
            "but $connect selected no subprotocol, so a browser closes the connection",
        )


async def test_another_path_than_the_stage(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        for path in ("", "/", "/other", "/live/more", "/livelive", "/LIVE", "/live/@connections/AAAAAAAAAAAAAAA="):
            with pytest.raises(InvalidStatus) as refused:
                async with client(running.url.replace("http", "ws") + path):
                    pass
            assert (path, refused.value.response.status_code) == (path, 403)
            assert (await running.client.get(path or "/")).status_code == 403
        assert {seen.function for seen in running.handled} == {""}


async def test_a_request_without_a_handshake_says_how_to_connect(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        response = await running.client.get("/live")
        assert response.status_code == 426
        assert response.json() == {"message": f"this is a WebSocket API: connect to {address(running.url)}"}


async def test_many_connections_get_only_their_own_messages(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:

        async def converse(number: int) -> str:
            async with client(running.url) as connection:
                replies = [await say(connection, action="echo", number=number, turn=turn) for turn in range(3)]
                assert [json.loads(reply["body"])["number"] for reply in replies] == [number] * 3
                (connection_id,) = {reply["requestContext"]["connectionId"] for reply in replies}
                return str(connection_id)

        ids = await asyncio.gather(*(converse(number) for number in range(12)))
        assert len(set(ids)) == 12
        ended = await noted(running.output, 12)
        assert {event["requestContext"]["connectionId"] for event in ended} == set(ids)


async def test_an_invalid_host_is_rejected(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        handshake = {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "c2FtcGxlLXdlYnNvY2tldA==",
            "host": "a b",
        }
        async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as http:
            response = await http.get("/live", headers=handshake)
        assert response.status_code == 400
        assert running.output == []
