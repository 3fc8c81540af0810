"""WebSocket APIs of the gateway, with a real client and functions in their own processes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lambda_gateway.template.reader import read_template
from lambda_gateway.websocket.limits import Lifetime
from tests.fixtures.gateway.websockets import ACCEPT, ECHO, HEAD, address, client, functions, route, say
from tests.functional.gateway.conftest import Running, Serve

pytestmark = pytest.mark.anyio

SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=key/20261126/us-east-1/execute-api/aws4_request, Signature=0"}
PLAIN = (
    HEAD
    + route("Connect", "$connect", "Accept")
    + route("Echo", "echo", "Echo", responds=True)
    + route("Quiet", "quiet", "Echo")
    + route("End", "$disconnect", "Note")
    + functions("Accept", "Echo", "Note")
)
# Writes its event where a test finds it.
NOTE = """
    import json
    def lambda_handler(event, context):
        print("event " + json.dumps(event), flush=True)
"""
HANDLERS = {"accept": ACCEPT, "echo": ECHO, "note": NOTE}


async def noted(running: Running, count: int = 1) -> list[dict[str, Any]]:
    """Return the events that the function Note got."""
    for _ in range(200):
        found = [json.loads(line[6:]) for _, line in running.output if line.startswith("event ")]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(running.output)


async def test_a_connection_from_its_handshake_to_its_end(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        async with client(running.url, user_agent_header="test/1") as connection:
            event = await say(connection, action="echo", text="grüezi")
            await connection.close(1000, "bye")
        (ended,) = await noted(running)
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


async def test_a_route_without_a_response_sends_nothing_and_functions_send_by_the_management_api(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        await connection.send(json.dumps({"action": "quiet"}))
        path = f"/live/@connections/{connection_id}"
        posted = await running.client.post(path, content="à toi", headers=SIGNED)
        assert (posted.status_code, posted.content) == (200, b"")
        assert await connection.recv() == "à toi"
        described = (await running.client.get(path, headers=SIGNED)).json()
        assert set(described) == {"connectedAt", "identity", "lastActiveAt"}
        assert described["connectedAt"] <= described["lastActiveAt"]
        assert (await running.client.delete(path, headers=SIGNED)).status_code == 204
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "Connection Closed Normally")
        gone = await running.client.post(path, content="x", headers=SIGNED)
        assert (gone.status_code, gone.headers["x-amzn-errortype"], gone.json()) == (
            410,
            "GoneException",
            {"message": "Gone"},
        )


MANAGED: tuple[tuple[bytes, dict[str, str], int, str | None], ...] = (
    (b"x" * (128 * 1024), SIGNED, 200, None),
    (b"x" * (128 * 1024 + 1), SIGNED, 413, "a message may have at most 131072 bytes"),
    (b"\xff", SIGNED, 400, "a message must be UTF-8: WebSocket APIs send only text frames"),
    (b"x", {}, 403, "Missing Authentication Token"),
    (b"x", {"authorization": "Bearer x.y.z"}, 403, "Missing Authentication Token"),
    (
        b"x",
        {"authorization": SIGNED["authorization"].replace("execute-api", "s3")},
        403,
        "Missing Authentication Token",
    ),
)


async def test_what_the_management_api_accepts(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url, max_size=None) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        for content, headers, status, message in MANAGED:
            path = f"/live/@connections/{connection_id}"
            response = await running.client.post(path, content=content, headers=headers)
            assert response.status_code == status
            assert (response.json()["message"] if message else None) == message


async def test_a_page_in_a_browser_may_not_send_to_a_connection(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        headers = {"origin": "https://evil.example", "access-control-request-headers": "authorization"}
        response = await running.client.options(f"/live/@connections/{connection_id}", headers=headers)
        assert response.status_code == 403
        assert not [name for name in response.headers if name.startswith("access-control")]


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
        ended = await noted(running, len(SIZES))
        codes = [event["requestContext"]["disconnectStatusCode"] for event in ended]
        assert sorted(codes) == [1000, 1000, 1003, 1009, 1009]


@pytest.mark.parametrize("lifetime", [Lifetime(idle=0.4), Lifetime(total=0.4)], ids=["idle", "total"])
async def test_a_connection_ends_when_its_time_is_over(serve: Serve, lifetime: Lifetime) -> None:
    async with serve(PLAIN, lifetime=lifetime, **HANDLERS) as running, client(running.url) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 10)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
        (ended,) = await noted(running)
        assert ended["requestContext"]["disconnectStatusCode"] == 1001


async def test_messages_in_either_direction_keep_a_connection(serve: Serve) -> None:
    async with serve(PLAIN, lifetime=Lifetime(idle=1.0), **HANDLERS) as running, client(running.url) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        for _ in range(5):
            await asyncio.sleep(0.4)
            posted = await running.client.post(f"/live/@connections/{connection_id}", content="x", headers=SIGNED)
            assert posted.status_code == 200


async def test_a_client_that_breaks_off_is_reported_once(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running:
        async with client(running.url) as connection:
            await say(connection, action="echo")
            connection.transport.abort()
        (ended,) = await noted(running)
        assert ended["requestContext"]["disconnectStatusCode"] in (1005, 1006)


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
        ended = await noted(running, 12)
        assert {event["requestContext"]["connectionId"] for event in ended} == set(ids)


async def test_stopping_closes_connections_and_reports_their_end(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        await say(connection, action="echo")
        processes = [pid for function in running.gateway.functions.values() for pid in function.pids]
        await running.gateway.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
        (ended,) = await noted(running)
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
