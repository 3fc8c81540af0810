"""WebSocket APIs behind the product's own authorizer: connections, denials and the callers in events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SESSION_SECRETS
from tests.fixtures.authorizer.sessions import OWN_ORIGIN, entry, keys_of
from tests.fixtures.databases.valkey import command
from tests.fixtures.gateway.guarded_apis import authorizer_resources
from tests.fixtures.gateway.websockets import BEHIND_GATE, HEAD, client, functions, route, say
from tests.fixtures.revoked.republishing import Republishing
from tests.fixtures.tokens.issuer import good_claims, public_jwks, sign
from tests.functional.gateway.conftest import Running, Serve

pytestmark = pytest.mark.anyio

RULES = """\
version = 1

[[api]]
name = "chat"
ids = ["local"]

[[api.route]]
route = "$connect"
scopes = ["chat"]
"""
# Prints every event, so that a test sees the events that reached the function.
CHAT = """
    import json
    def lambda_handler(event, context):
        print("event " + json.dumps(event["requestContext"]), flush=True)
        return {"statusCode": 200, "body": json.dumps(event["requestContext"])}
"""
URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Gate.Arn}/invocations"
GATE = f"""\
  Authorizer:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties: {{ ApiId: !Ref Chat, AuthorizerType: REQUEST, Name: gate, AuthorizerUri: !Sub "{URI}" }}
"""


@asynccontextmanager
async def guarded(serve: Serve, folder: Path, **variables: str) -> AsyncIterator[Running]:
    (folder / "keys.json").write_text(json.dumps(public_jwks()))
    (folder / "rules.toml").write_text(RULES)
    template = (
        HEAD
        + GATE
        + route("Connect", "$connect", "Talk", BEHIND_GATE.replace("Gate", "Authorizer"))
        + route("Default", "$default", "Talk", responds=True)
        + functions("Talk")
        + authorizer_resources(folder, variables)
    )
    async with serve(template, talk=CHAT) as running:
        yield running


def token(**claims: object) -> str:
    return sign(good_claims(int(time.time()), **{"scope": "chat", **claims}))


def events(running: Running) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for name, line in running.output if name == "Talk" and line.startswith("event ")]


async def rejected(running: Running, headers: dict[str, str], query: str = "") -> int:
    with pytest.raises(InvalidStatus) as error:
        async with client(f"{running.url.replace('http', 'ws')}/live{query}", headers):
            pass
    return error.value.response.status_code


async def test_who_may_connect(serve: Serve, tmp_path: Path) -> None:
    good, now = token(), int(time.time())
    other_rights = token(scope="other")
    table = [
        ({}, "", 401),
        ({"origin": "https://evil.example"}, "", 401),
        ({"authorization": "Bearer x.y.z"}, "", 401),
        ({"authorization": f"Bearer {good}x"}, "", 401),
        ({"authorization": f"Bearer {token(exp=now - 3600, iat=now - 7200)}"}, "", 401),
        ({"authorization": f"Bearer {token(aud='another')}"}, "", 401),
        ({"authorization": f"Basic {good}"}, "", 401),
        ({}, f"?access_token={good}", 401),
        ({}, f"?authorization=Bearer%20{good}", 401),
        ({"cookie": f"authorization={good}"}, "", 401),
        ({"sec-websocket-protocol": f"{good}"}, "", 401),
        ({"authorization": f"Bearer {good}", "sec-websocket-protocol": f"bearer, {good}"}, "", 401),
        ({"authorization": f"Bearer {other_rights}"}, "", 403),
        ({"sec-websocket-protocol": f"bearer, {other_rights}"}, "", 403),
        # Longer than API Gateway reads: the authorizer isn't called.
        ({"authorization": f"Bearer {'a' * 11_000}"}, "", 431),
    ]
    async with guarded(serve, tmp_path) as running:
        for headers, query, status in table:
            assert await rejected(running, headers, query) == status, headers
        # Not one event of a denied connection, not even of its end.
        assert events(running) == []
        assert {seen.function for seen in running.handled} == {""}
        written = "\n".join(line for _, line in running.output)
        assert good.rpartition(".")[2] not in written
        async with client(running.url, {"authorization": f"Bearer {good}"}) as connection:
            context = await say(connection, text="hello")
    authorizer = context["authorizer"]
    assert authorizer["scopes"] == "chat"
    # A REST API's form: every value but the latency is text.
    assert all(isinstance(value, str) for name, value in authorizer.items() if name != "integrationLatency")
    assert [event["eventType"] for event in events(running)] == ["CONNECT", "MESSAGE"]


async def test_two_tenants_at_the_same_time_keep_their_own_context(serve: Serve, tmp_path: Path) -> None:
    tenants = ["org-3d5b1c86-0c57-4b1a-9d0e-5a3f6e2b7c90", "org-7a1e2f3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b"]
    async with guarded(serve, tmp_path) as running:

        async def converse(tenant: str, number: int) -> None:
            headers = {"authorization": f"Bearer {token(tenant_id=tenant, sub=f'user-{number}')}"}
            async with client(running.url, headers) as connection:
                ids = set()
                for turn in range(4):
                    forged = {"authorizer": {"tenant_id": "other"}, "tenant_id": "other"}
                    context = await say(connection, turn=turn, requestContext=forged, **forged)
                    caller = context["authorizer"]
                    assert (caller["tenant_id"], caller["user_id"]) == (tenant, f"user-{number}")
                    ids.add(context["connectionId"])
                assert len(ids) == 1

        await asyncio.gather(*(converse(tenants[number % 2], number) for number in range(6)))


async def test_an_open_connection_outlives_its_token_and_events_say_when_it_ended(serve: Serve, tmp_path: Path) -> None:
    now = int(time.time())
    # Within the leeway of a minute, so that the token has expired for a function already.
    headers = {"authorization": f"Bearer {token(exp=now - 5, iat=now - 600)}"}
    async with guarded(serve, tmp_path) as running, client(running.url, headers) as connection:
        context = await say(connection, text="hello")
        assert int(context["authorizer"]["expires_at"]) < time.time()
        # No other connection opens with it once the leeway is over too.
        late = {"authorization": f"Bearer {token(exp=now - 600, iat=now - 1200)}"}
        assert await rejected(running, late) == 401


async def test_a_session_cookie_opens_a_connection_only_from_an_allowed_page(
    serve: Serve, tmp_path: Path, redis_url: str
) -> None:
    """Any page may open a WebSocket to any host, and the browser adds the cookie (cross-site WebSocket hijacking)."""
    now = int(time.time())
    session = entry(scopes=("chat",), expires_at=now + 3600, last_used_at=now, fresh_until=now + 300)
    secret = SESSION_SECRETS.issue(session.tenant_id).text
    command(redis_url, "SET", keys_of(secret).entry, session.to_json())
    cookie = {"cookie": f"theme=dark; {SESSION_COOKIE}={secret}"}
    table = [
        (cookie, 403),
        (cookie | {"origin": "https://evil.example"}, 403),
        (cookie | {"origin": "null"}, 403),
        (cookie | {"origin": OWN_ORIGIN, "sec-websocket-protocol": "bearer, x.y.z"}, 401),
        (cookie | {"origin": OWN_ORIGIN, "authorization": "Bearer x"}, 401),
        ({"cookie": f"{cookie['cookie']}; {SESSION_COOKIE}={secret}", "origin": OWN_ORIGIN}, 401),
        ({"cookie": f"{SESSION_COOKIE}={SESSION_SECRETS.issue(session.tenant_id).text}", "origin": OWN_ORIGIN}, 401),
    ]
    variables = {"REDIS_URL": redis_url, "PUBLIC_BASE_URL": OWN_ORIGIN}
    with Republishing(redis_url):
        async with guarded(serve, tmp_path, **variables) as running:
            for headers, status in table:
                assert await rejected(running, headers) == status, headers
            assert events(running) == []
            async with client(running.url, cookie | {"origin": OWN_ORIGIN}) as connection:
                caller = (await say(connection, text="hello"))["authorizer"]
            assert (caller["user_id"], caller["auth_method"], caller["session_id"]) == (
                session.user_id,
                "session",
                session.session_id,
            )
            assert secret not in "\n".join(line for _, line in running.output)
