"""Session cookies through the gateway: the authorizer runs under its real runtime client, next to a real Valkey."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lambda_gateway.app import Gateway
from lambda_gateway.observer import Observer
from lambda_gateway.template.reader import read_template
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SESSION_SECRETS, TOMBSTONE, SessionEntry
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.authorizer.sessions import CSRF_TOKEN, OWN_ORIGIN, entry, keys_of
from tests.fixtures.databases.valkey import command, frozen
from tests.fixtures.gateway.guarded_apis import INTEGRATIONS, Integration, token_of, write_guarded_apis
from tests.fixtures.revoked.republishing import Republishing
from tests.fixtures.tokens.issuer import TENANT

pytestmark = pytest.mark.anyio

_V2 = 'AuthorizerPayloadFormatVersion: "2.0"'
# APIs that accept cookies: nothing is cached, and no other identity source is required.
DOORS = {
    "HttpTwoSimple": INTEGRATIONS["HttpTwoSimple"],
    "HttpTwoPolicy": Integration(
        "HttpApi", f"{_V2}, Identity: {{ ReauthorizeEvery: 0 }}", "StageVariables: { tenantgate_answer: policy }"
    ),
    "HttpOne": Integration("HttpApi", 'AuthorizerPayloadFormatVersion: "1.0", Identity: { ReauthorizeEvery: 0 }'),
    "RestRequest": Integration("Api", "FunctionPayloadType: REQUEST, Identity: { ReauthorizeEvery: 0 }"),
    "RestByCookie": Integration(
        "Api", "FunctionPayloadType: REQUEST, Identity: { Headers: [Cookie], ReauthorizeEvery: 0 }"
    ),
}
OWN_PAGE = {"origin": OWN_ORIGIN, "x-csrf-token": CSRF_TOKEN}
OTHER_TENANT = "org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4c"


class Doors:
    """The APIs' clients, and the log lines of the authorizer."""

    def __init__(self, clients: dict[str, httpx2.AsyncClient], output: list[str]) -> None:
        self._clients = clients
        self.output = output

    async def ask(
        self, door: str, method: str, cookie: str | None, path: str = "/orders", **headers: str
    ) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = named if cookie is None else {"cookie": cookie, **named}
        stage = "/live" if door.startswith("Rest") else ""
        return await self._clients[door].request(method, stage + path, headers=sent)


@pytest.fixture(scope="module")
async def doors(valkey_server: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    async with _started(tmp_path_factory.mktemp("doors"), valkey_server.start(), DOORS) as started:
        yield started


@pytest.fixture
def redis_url(valkey_server: EmbeddedValkey) -> str:
    """The server without emptying it: the authorizer needs the list of revocations."""
    return valkey_server.start()


@asynccontextmanager
async def _started(folder: Path, url: str, integrations: dict[str, Integration]) -> AsyncIterator[Doors]:
    variables = {"REDIS_URL": url, "PUBLIC_BASE_URL": OWN_ORIGIN, "ALLOWED_ORIGINS": "https://app.example.test"}
    output: list[str] = []
    observer = Observer(output=lambda _, line: output.append(line))
    template = write_guarded_apis(folder, integrations=integrations, variables=variables)
    gateway = Gateway(read_template(template), observer=observer)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop)
        stack.enter_context(Republishing(url))
        clients = {}
        for name in integrations:
            transport = httpx2.ASGITransport(app=gateway.api(name))
            client = httpx2.AsyncClient(transport=transport, base_url="http://api.test", timeout=30)
            clients[name] = await stack.enter_async_context(client)
        yield Doors(clients, output)


def _now(**changes: object) -> SessionEntry:
    now = int(time.time())
    times = {"auth_time": now - 600, "expires_at": now + 36_000, "last_used_at": now - 30, "fresh_until": now + 300}
    return entry(**times | changes)


def _start(url: str, live: SessionEntry | None = None) -> tuple[str, str]:
    """Write a session's entry as web functions do. Return its cookie and its secret."""
    live = live or _now()
    secret = SESSION_SECRETS.issue(live.tenant_id).text
    command(url, "SET", keys_of(secret).entry, live.to_json())
    return f"{SESSION_COOKIE}={secret}", secret


def _caller(response: httpx2.Response) -> dict[str, Any]:
    context: dict[str, Any] = response.json()
    caller: dict[str, Any] = context.get("lambda", context)
    return caller


@pytest.mark.parametrize("door", DOORS)
async def test_a_session_reaches_the_backend(doors: Doors, redis_url: str, door: str) -> None:
    live = _now()
    cookie, _ = _start(redis_url, live)
    response = await doors.ask(door, "GET", f"theme=dark; {cookie}")
    assert response.status_code == 200
    caller = _caller(response)
    assert (caller["user_id"], caller["tenant_id"], caller["auth_method"]) == ("user-1", TENANT, "session")
    # A REST API turns numbers into strings.
    assert (caller["session_id"], int(caller["auth_time"])) == (live.session_id, live.auth_time)
    assert (await doors.ask(door, "GET", cookie, "/reports/2026")).status_code == 403
    assert (await doors.ask(door, "GET", None)).status_code == 401
    assert cookie.partition("=")[2] not in "".join(doors.output)


@pytest.mark.parametrize("door", DOORS)
async def test_a_change_needs_an_own_page_and_the_csrf_token(doors: Doors, redis_url: str, door: str) -> None:
    cookie, _ = _start(redis_url)

    async def status(**headers: str) -> int:
        return (await doors.ask(door, "POST", cookie, **headers)).status_code

    assert await status(**OWN_PAGE) == 200
    assert await status(**OWN_PAGE | {"origin": "https://app.example.test"}) == 200
    assert await status(**OWN_PAGE | {"origin": "https://evil.test"}) == 403
    assert await status(**OWN_PAGE | {"x-csrf-token": "x" * 43}) == 403
    assert await status(origin=OWN_ORIGIN) == 403
    assert await status(sec_fetch_site="cross-site", x_csrf_token=CSRF_TOKEN) == 403
    assert await status(x_csrf_token=CSRF_TOKEN) == 403
    assert (await doors.ask(door, "DELETE", cookie, "/orders/7")).status_code == 403
    assert (await doors.ask(door, "DELETE", cookie, "/orders/7", **OWN_PAGE)).status_code == 200


@pytest.mark.parametrize("door", DOORS)
async def test_a_session_can_be_neither_fixed_nor_planted(doors: Doors, redis_url: str, door: str) -> None:
    """A page of a subdomain sets cookies, before or after the victim signed in."""
    genuine, secret = _start(redis_url)
    planted, planted_secret = _start(redis_url, _now(user_id="attacker"))
    never_issued = f"{SESSION_COOKIE}={SESSION_SECRETS.issue(TENANT).text}"
    for cookie in (
        never_issued,
        f"{genuine}; {planted}",
        f"{planted}; {genuine}",
        f"{genuine}, {planted}",
        f"tg_session={planted_secret}",
        f"__Secure-tg_session={planted_secret}",
        f"__host-tg_session={planted_secret}",
        f"__Host-tg_session ={planted_secret}",
        f'{SESSION_COOKIE}="{secret}"',
        f"{SESSION_COOKIE}={secret}{'A' * 4096}",
        f"{SESSION_COOKIE}={secret[:-1]}",
        genuine.replace(TENANT, OTHER_TENANT),
    ):
        assert (await doors.ask(door, "GET", cookie)).status_code == 401, cookie
    assert (await doors.ask(door, "GET", genuine)).status_code == 200


@pytest.mark.parametrize("door", DOORS)
async def test_an_authorization_header_is_the_only_credential(doors: Doors, redis_url: str, door: str) -> None:
    cookie, secret = _start(redis_url)
    by_token = await doors.ask(door, "GET", cookie, authorization=f"Bearer {token_of('reader')}")
    assert (by_token.status_code, _caller(by_token)["user_id"]) == (200, "reader")
    for authorization in ("Bearer x", "Basic eA==", f"Session {secret}", secret):
        assert (await doors.ask(door, "GET", cookie, authorization=authorization)).status_code == 401


async def test_an_ended_session_is_refused_at_once_and_its_use_is_marked(doors: Doors, redis_url: str) -> None:
    cookie, secret = _start(redis_url, _now(last_used_at=int(time.time()) - 100))
    keys = keys_of(secret)
    assert (await doors.ask("HttpTwoSimple", "GET", cookie)).status_code == 200
    assert abs(int(command(redis_url, "GET", keys.used)) - time.time()) < 5
    assert 1790 < command(redis_url, "TTL", keys.used) <= 1800
    command(redis_url, "SET", keys.entry, TOMBSTONE)
    assert (await doors.ask("HttpTwoSimple", "GET", cookie)).status_code == 401
    command(redis_url, "DEL", keys.entry)
    assert (await doors.ask("HttpTwoSimple", "GET", cookie)).status_code == 401


async def test_a_lost_connection_is_replaced_without_a_failed_request(doors: Doors, redis_url: str) -> None:
    cookie, _ = _start(redis_url)
    for _ in range(3):
        assert (await doors.ask("HttpTwoSimple", "GET", cookie)).status_code == 200
        command(redis_url, "CLIENT", "KILL", "TYPE", "normal")


async def test_valkey_that_is_frozen_full_or_gone_denies_no_session(
    tmp_path: Path, own_valkey: Callable[..., EmbeddedValkey]
) -> None:
    server = own_valkey()
    url = server.start()
    async with _started(tmp_path, url, DOORS) as doors:
        cookie, _ = _start(url, _now(last_used_at=int(time.time()) - 100))

        async def status(**headers: str) -> int:
            return (await doors.ask("HttpTwoSimple", "GET", cookie, **headers)).status_code

        # Marking the use fails, and the request doesn't.
        command(url, "CONFIG", "SET", "maxmemory", "1")
        assert await status() == 200
        command(url, "CONFIG", "SET", "maxmemory", "0")
        with frozen(server):
            began = time.monotonic()
            assert await status() == 500
            assert time.monotonic() - began < 2
            assert await status(authorization=f"Bearer {token_of('reader')}") == 200
        assert await status() == 200
        server.stop()
        assert await status() == 500
        logged = "".join(doors.output)
        assert '"error_code":"SYS_005"' in logged.replace(" ", "")
        assert "AUTH_020" not in logged
