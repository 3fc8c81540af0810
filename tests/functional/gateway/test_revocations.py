"""Revoked tokens and sessions at real APIs: the authorizer reads the list of revocations from a real Valkey."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from lambda_gateway.app import Gateway
from lambda_gateway.observer import Observer
from lambda_gateway.template.reader import read_template
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.revoked.holder import BOUND_SECONDS, REFRESH_SECONDS
from tenantgate.revoked.names import (
    client_name,
    issuer_name,
    kid_name,
    session_name,
    tenant_name,
    token_name,
    user_name,
)
from tenantgate.revoked.snapshot import HEAD_KEY
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.authorizer.sessions import OWN_ORIGIN, entry, keys_of
from tests.fixtures.databases.valkey import command
from tests.fixtures.gateway.guarded_apis import INTEGRATIONS, Integration, token_of, write_guarded_apis
from tests.fixtures.revoked.republishing import Republishing
from tests.fixtures.revoked.snapshots import published, snapshot
from tests.fixtures.tokens.issuer import ISSUER, TENANT

pytestmark = pytest.mark.anyio

DOORS = {
    "HttpTwoSimple": INTEGRATIONS["HttpTwoSimple"],
    "RestToken": Integration("Api", "Identity: { ReauthorizeEvery: 0 }"),
}
USER = user_name(TENANT, ISSUER, "reader")


class Doors:
    """The APIs' clients, the authorizer's log, its Valkey, and the republisher of the list that it reads."""

    def __init__(
        self, clients: dict[str, httpx2.AsyncClient], output: list[str], url: str, revocations: Republishing
    ) -> None:
        self._clients = clients
        self._output = output
        self.url = url
        self.revocations = revocations
        self.last_problem = ""

    async def status(self, credential: dict[str, str], door: str = "HttpTwoSimple") -> int:
        path = "/live/orders" if door.startswith("Rest") else "/orders"
        return (await self._clients[door].get(path, headers=credential)).status_code

    async def becomes(self, expected: int, credential: dict[str, str], door: str = "HttpTwoSimple") -> float:
        """Send requests until one has this status. Return the seconds that it took, at most 10."""
        began = time.monotonic()
        while (found := await self.status(credential, door)) != expected:
            assert time.monotonic() - began < 10, f"{found} instead of {expected}"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def logged(self) -> list[tuple[str, str, str]]:
        """Return error code, reason and check of each decision since the last call."""
        lines = [json.loads(line) for line in self._output if line.startswith("{")]
        self._output.clear()
        found = [line["context"] for line in lines if line.get("message") in ("denied", "no decision")]
        self.last_problem = found[-1].get("problem", "") if found else ""
        return [(context["error_code"], context["reason"], context["check"]) for context in found]


@asynccontextmanager
async def _started(folder: Path, url: str) -> AsyncIterator[Doors]:
    output: list[str] = []
    template = write_guarded_apis(
        folder, integrations=DOORS, variables={"REDIS_URL": url, "PUBLIC_BASE_URL": OWN_ORIGIN}
    )
    gateway = Gateway(read_template(template), observer=Observer(output=lambda _, line: output.append(line)))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop)
        revocations = stack.enter_context(Republishing(url))
        clients = {}
        for name in DOORS:
            transport = httpx2.ASGITransport(app=gateway.api(name))
            client = httpx2.AsyncClient(transport=transport, base_url="http://api.test", timeout=30)
            clients[name] = await stack.enter_async_context(client)
        yield Doors(clients, output, url, revocations)


@pytest.fixture(scope="module")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    folder = tmp_path_factory.mktemp("revocations")
    with EmbeddedValkey(folder / "valkey") as server:
        url = server.start()
        async with _started(folder, url) as started:
            yield started


def _token(**changes: object) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of('reader', **changes)}"}


def _cookie(url: str, **changes: object) -> dict[str, str]:
    """Write the entry of a live session as web functions do, and return its cookie."""
    now = int(time.time())
    times = {"auth_time": now - 600, "expires_at": now + 36_000, "last_used_at": now - 30, "fresh_until": now + 300}
    live = entry(**times | changes)
    secret = SESSION_SECRETS.issue(live.tenant_id).text
    command(url, "SET", keys_of(secret).entry, live.to_json())
    return {"cookie": f"{SESSION_COOKIE}={secret}"}


REVOKED = (401, ("AUTH_030", "token_revoked", "revocation"))
ENDED = (401, ("AUTH_020", "session_ended", "session"))
NOT_ALLOWED = (403, ("AUTH_005", "tenant_not_allowed", "tenant"))
ALLOWED = (200, None)
SESSION_USER = user_name(TENANT, ISSUER, "user-1")
# A list, and then the outcomes of a token and of a session.
KINDS = {
    "token": (snapshot(exact=[token_name(ISSUER, "token-1", "")]), REVOKED, ALLOWED),
    "session": (snapshot(exact=[session_name(TENANT, entry().session_id)]), ALLOWED, ENDED),
    "user of the token": (snapshot(until={USER: 2**40}), REVOKED, ALLOWED),
    "user of the session": (snapshot(until={SESSION_USER: 2**40}), ALLOWED, ENDED),
    "kid": (snapshot(exact=[kid_name(ISSUER, "rsa-1")]), REVOKED, ALLOWED),
    "client": (snapshot(until={client_name(ISSUER, "a-client"): 2**40}), REVOKED, ALLOWED),
    "tenant": (snapshot(until={tenant_name(TENANT): 2**40}), REVOKED, ENDED),
    "suspended": (snapshot(suspended=[tenant_name(TENANT)]), NOT_ALLOWED, NOT_ALLOWED),
    "nothing": (snapshot(), ALLOWED, ALLOWED),
    "not registered": (snapshot(registered=[]), NOT_ALLOWED, NOT_ALLOWED),
    "another issuer": (
        snapshot(issuers={tenant_name(TENANT): [issuer_name("https://other.test/")]}),
        *(NOT_ALLOWED, NOT_ALLOWED),
    ),
}


async def test_each_kind_of_revocation_takes_effect_at_once(doors: Doors) -> None:
    token, cookie = _token(), _cookie(doors.url)
    for door in DOORS:
        assert await doors.status(token, door) == 200
    for name, (revoked, by_token, by_cookie) in KINDS.items():
        doors.revocations.publish(revoked)
        # By then, every authorizer has looked again.
        await asyncio.sleep(REFRESH_SECONDS)
        doors.logged()
        for credential, (status, reason) in ((token, by_token), (cookie, by_cookie)):
            assert await doors.status(credential) == status, name
            assert doors.logged() == ([] if reason is None else [reason]), name
        assert await doors.status(token, "RestToken") == by_token[0], name


async def test_a_new_sign_in_passes_after_its_user_was_revoked(doors: Doors) -> None:
    now = int(time.time())
    user = user_name(TENANT, ISSUER, "user-1")
    # The default leeway is 60 s.
    doors.revocations.publish(snapshot(until={USER: now - 100, user: now - 100}))
    await doors.becomes(401, _token(iat=now - 40))
    assert await doors.status(_token(iat=now - 39)) == 200
    assert await doors.status(_cookie(doors.url, auth_time=now - 100)) == 401
    assert await doors.status(_cookie(doors.url, auth_time=now - 99)) == 200
    doors.revocations.publish(snapshot())
    await doors.becomes(200, _token(iat=now - 40))


def _flush(doors: Doors, server: EmbeddedValkey) -> None:
    doors.revocations.stop()
    command(doors.url, "FLUSHALL")


def _restore(doors: Doors, server: EmbeddedValkey) -> None:
    """Restore a dump from before the revocation, as a server does that lost its memory."""
    doors.revocations.stop()
    for key, value in published(snapshot(1), time.time() - 3600).items():
        command(doors.url, "SET", key, value)


def _replay(doors: Doors, server: EmbeddedValkey) -> None:
    """Publish an older epoch as a recent one, as a publisher would that read a replica which lags behind."""
    doors.revocations.stop()
    for key, value in published(snapshot(1), time.time() + 1).items():
        command(doors.url, "SET", key, value)


FAULTS: dict[str, tuple[Callable[[Doors, EmbeddedValkey], object], str]] = {
    "no-republisher": (lambda doors, _: doors.revocations.stop(), "read too long ago"),
    "flushed": (_flush, "missing or malformed"),
    "old-dump": (_restore, "an older epoch than before"),
    "older-epoch": (_replay, "an older epoch than before"),
    "another-body": (lambda doors, _: _swap(doors), "don't fit"),
    "frozen": (lambda _, server: _signal(server, signal.SIGSTOP), "too slowly"),
    "gone": (lambda _, server: server.stop(), "can't be reached"),
}


def _swap(doors: Doors) -> None:
    doors.revocations.stop()
    command(doors.url, "SET", HEAD_KEY, published(snapshot(9))[HEAD_KEY])


def _signal(server: EmbeddedValkey, number: int) -> None:
    assert server.pid is not None
    os.kill(server.pid, number)


async def test_nothing_is_decided_without_a_list_and_until_then_everything(
    tmp_path: Path, own_valkey: Callable[..., EmbeddedValkey]
) -> None:
    await asyncio.gather(*(_fails_closed(tmp_path / name, own_valkey(), *FAULTS[name]) for name in FAULTS))


async def _fails_closed(
    folder: Path, server: EmbeddedValkey, break_it: Callable[[Doors, EmbeddedValkey], object], problem: str
) -> None:
    folder.mkdir()
    async with _started(folder, server.start()) as doors:
        good, revoked = _token(), _token(jti="stolen")
        assert await doors.status(revoked) == 200
        doors.revocations.publish(snapshot(exact=[token_name(ISSUER, "stolen", "")]))
        await doors.becomes(401, revoked)
        assert await doors.status(good) == 200
        began = time.monotonic()
        break_it(doors, server)
        decided, statuses = 0, set[int]()
        while await doors.status(good) == 200:
            decided += 1
            # A revoked token never passes, not even with a list that is older than the held one.
            statuses.add(await doors.status(revoked))
            await asyncio.sleep(0.05)
        undecided = time.monotonic() - began
        assert decided > 3
        assert statuses <= {401, 500}
        # Read a moment before the fault; a server that is frozen holds up a decision by 0.6 s.
        assert BOUND_SECONDS - 1 < undecided < BOUND_SECONDS + 3, problem
        assert await doors.status(good) == 500
        assert await doors.status(revoked) == 500
        assert doors.logged()[-1] == ("SYS_011", "revocation_unknown", "revocation")
        assert problem in doors.last_problem
        if server.pid is not None:
            _signal(server, signal.SIGCONT)
