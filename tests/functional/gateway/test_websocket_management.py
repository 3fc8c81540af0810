"""The API by which functions send to WebSocket connections, describe them and close them."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.fixtures.gateway.websockets import (
    HANDLERS,
    PLAIN,
    SIGNED,
    client,
    say,
)
from tests.functional.gateway.conftest import Serve, listening

pytestmark = pytest.mark.anyio


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
            assert running.handled[-1].route_key == "POST /@connections/{connection_id}"


async def test_a_page_in_a_browser_may_not_send_to_a_connection(serve: Serve) -> None:
    async with serve(PLAIN, **HANDLERS) as running, client(running.url) as connection:
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        headers = {"origin": "https://evil.example", "access-control-request-headers": "authorization"}
        response = await running.client.options(f"/live/@connections/{connection_id}", headers=headers)
        assert response.status_code == 403
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_a_connection_is_reached_only_through_its_own_api(serve: Serve) -> None:
    other = """\
  Other:
    Type: AWS::ApiGatewayV2::Api
    Properties: { ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action }
  OtherStage: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Other, StageName: live } }
"""
    async with (
        serve(PLAIN + other, **HANDLERS) as running,
        client(running.url) as connection,
        listening(running.gateway.api("Other")) as elsewhere,
    ):
        connection_id = (await say(connection, action="echo"))["requestContext"]["connectionId"]
        for method in ("GET", "POST", "DELETE"):
            path = f"{elsewhere}/live/@connections/{connection_id}"
            response = await running.client.request(method, path, headers=SIGNED)
            assert response.status_code == 410
        # It is still open.
        await say(connection, action="echo")
