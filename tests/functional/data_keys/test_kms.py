"""Sign-ins, refreshes and sign-outs over HTTP with data keys wrapped by AWS KMS (moto), which can be away.

Simulated: that KMS is away. The client then raises the error that boto3 raises without a connection.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from moto import mock_aws
from typer.testing import CliRunner

from functions.auth_callback.routes import router as callback_router
from functions.auth_login.routes import router as login_router
from functions.auth_logout.routes import router as logout_router
from functions.auth_refresh.routes import router as refresh_router
from functions.auth_sessions.routes import router as sessions_router
from tenantgate.cache.wiring import dispose_cache
from tenantgate.crypto.envelopes import KeyOwner, is_envelope, named_key
from tenantgate.crypto.errors import EnvelopeBroken
from tenantgate.data_keys import cache, kms_keys, wiring
from tenantgate.data_keys.kms_keys import KmsKeys
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.data_keys.tasks import AllKeys, Selection
from tenantgate.data_keys.wrapping import KeyEncryption
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.wiring import dispose_database
from tenantgate.sessions import wiring as wiring_of_sessions
from tenantgate.sessions.storing.tokens import PURPOSE
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.web.app import create_app
from tenantgate_cli.main import app as cli
from tests.fixtures.audit.events import recorded_events
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.data_keys.memory import local_keys
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.process.settings import process_settings
from tests.fixtures.providers.misbehaving import CLIENT_ID, CLIENT_SECRET, MisbehavingProvider
from tests.fixtures.servers.app_server import AppServer, free_socket

REGION = "eu-central-1"


class Kms:
    """moto's KMS. `away`: no call gets a connection. `calls`: the operations, with their encryption contexts."""

    def __init__(self) -> None:
        self.client = boto3.client("kms", region_name=REGION)
        self.arns = [self.client.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        self.away = False
        self.calls: list[tuple[str, dict[str, str]]] = []

    def encrypt(self, **arguments: Any) -> Any:
        return self._call("encrypt", arguments)

    def decrypt(self, **arguments: Any) -> Any:
        return self._call("decrypt", arguments)

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        if self.away:
            raise ConnectTimeoutError(endpoint_url="https://kms.example")
        self.calls.append((operation, arguments["EncryptionContext"]))
        return getattr(self.client, operation)(**arguments)


class Stack:
    """The running functions. `base`: their address."""

    def __init__(self, base: str, provider: MisbehavingProvider, kms: Kms, urls: DatabaseUrls) -> None:
        self.base, self.provider, self.kms, self.urls = base, provider, kms, urls
        self.tenant, self.user = f"org-{uuid4()}", f"user-{uuid4()}"
        provider.edit_access_token = lambda claims: {**claims, "tenant_id": self.tenant, "sub": self.user}
        provider.edit_id_token = lambda claims: {**claims, "sub": self.user}

    def sign_in(self, browser: Browser) -> int:
        started = browser.get(f"{self.base}/api/v1/auth/login")
        return browser.get(location(browser.get(location(started)))).status_code

    def refresh(self, browser: Browser) -> tuple[int, str | None]:
        response = browser.request("POST", f"{self.base}/api/v1/auth/refresh", headers={"origin": self.base})
        return response.status_code, response.json().get("error", {}).get("code")

    def sign_out(self, browser: Browser) -> int:
        url = f"{self.base}/api/v1/auth/logout"
        return browser.post_json(url, {"redirect_uri": self.base}, headers={"origin": self.base}).status_code

    def end_all(self, browser: Browser) -> int:
        url = f"{self.base}/api/v1/auth/sessions"
        token = browser.get(url, accept="application/json").json()["csrf_token"]
        headers = {"origin": self.base, "x-csrf-token": token}
        return browser.request("DELETE", url, headers=headers).status_code

    def sessions(self) -> list[str]:
        """Return the stored tokens of each session."""
        found = execute(self.urls.admin_url, f"SELECT sealed_tokens FROM sessions WHERE tenant_id = '{self.tenant}'")
        return [row[0] for row in found[0]]

    def revoked(self) -> int:
        return len(self.provider.asked("/revoke"))


@pytest.fixture
def browsers() -> Iterator[list[Browser]]:
    with ExitStack() as opened:
        yield [opened.enter_context(Browser()) for _ in range(6)]


@pytest.fixture
def stack(database_urls: DatabaseUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(), MisbehavingProvider() as provider:
        provider.issues_refresh_tokens = True
        kms = Kms()
        monkeypatch.setattr(wiring, "kms_client", lambda _: kms)
        # The next call is made at once: a test isn't a second long.
        monkeypatch.setattr(kms_keys, "PAUSE_SECONDS", 0.0)
        # Each refresh asks the provider, also right after another one.
        policy = wiring_of_sessions.session_policy
        monkeypatch.setattr(
            wiring_of_sessions, "session_policy", lambda settings: replace(policy(settings), grace_seconds=0)
        )
        sock = free_socket()
        base = f"http://127.0.0.1:{sock.getsockname()[1]}"
        variables = {
            "PUBLIC_BASE_URL": base,
            "ALLOWED_ORIGINS": base,
            "OIDC_ISSUER_URL": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_AUDIENCE": provider.audience,
            "RATE_LIMITS": "off",
            "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(hashlib.sha256(uuid4().bytes).digest()).decode(),
            "KEY_ENCRYPTION_KMS_KEYS": ",".join(kms.arns),
            "DATABASE_URL": database_urls.app_url,
            "REDIS_URL": redis_url,
        }

        @asynccontextmanager
        async def lifespan(_: object) -> AsyncIterator[None]:
            yield
            await dispose_cache()
            await dispose_database()

        with process_settings(**variables):
            routers = (login_router, callback_router, refresh_router, logout_router, sessions_router)
            with AppServer(create_app(*routers, lifespan=lifespan), sock):
                yield Stack(base, provider, kms, database_urls)


@contextmanager
def nothing_in_memory() -> Iterator[None]:
    """Every use of a data key reads and unwraps it, as 60 seconds after its last reading."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "HELD_SECONDS", 0.0)
        yield


def test_a_key_in_memory_is_enough_and_without_it_only_what_needs_it_fails(
    stack: Stack, browsers: list[Browser]
) -> None:
    refreshing, leaving, ending, revoked, arriving, _ = browsers
    assert [stack.sign_in(browser) for browser in browsers[:4]] == [303] * 4
    assert all(is_envelope(tokens) for tokens in stack.sessions())

    stack.kms.away = True
    assert stack.refresh(refreshing) == (200, None)
    redeemed = len(stack.provider.asked("/token"))
    with nothing_in_memory():
        assert stack.refresh(refreshing) == (503, "SYS_009")
        assert stack.sign_in(arriving) == 503
        # The refresh token wasn't used: only the code of the new sign-in was.
        assert len(stack.provider.asked("/token")) == redeemed + 1
        before = stack.revoked()
        assert stack.sign_out(leaving) == 200
        assert stack.revoked() == before
        assert len(stack.sessions()) == 3
        assert stack.end_all(ending) == 204
        assert stack.sessions() == []
        words = ["revoke", "user", stack.user, "--tenant", stack.tenant, "--issuer", stack.provider.issuer]
        assert CliRunner().invoke(cli, words).exit_code == 0
    assert stack.refresh(revoked) == (401, "AUTH_020")

    events = asyncio.run(recorded_events(stack.urls.admin_url, stack.tenant))
    types = [row["event_type"] for row in events]
    assert (types.count("AUTH_LOGOUT"), types.count("SESSION_ENDED"), types[-1]) == (1, 3, "REVOKED")
    # Each of them names the user by the copy that the session brought.
    assert all(row["encrypted_user"] for row in events if row["event_type"] in ("AUTH_LOGOUT", "SESSION_ENDED"))
    failed = [
        json.loads(row["detail"])
        for row in asyncio.run(recorded_events(stack.urls.admin_url, DEPLOYMENT))
        if row["event_type"] == "AUTH_LOGIN_FAILED"
    ]
    assert {"error_code": "SYS_009", "check": "KeyServiceUnavailable"} in failed


def test_when_kms_is_back_everything_works(stack: Stack, browsers: list[Browser]) -> None:
    staying, leaving, *_ = browsers
    assert [stack.sign_in(browser) for browser in browsers[:2]] == [303, 303]
    with nothing_in_memory():
        stack.kms.away = True
        assert [stack.refresh(staying) for _ in range(3)] == [(503, "SYS_009")] * 3
        stack.kms.away = False
        assert stack.refresh(staying) == (200, None)
        assert stack.sign_out(leaving) == 200
    # Both tokens of the session that ended.
    assert stack.revoked() == 2


def test_kms_gets_the_tenant_and_the_purpose_and_refuses_another_context(stack: Stack, browsers: list[Browser]) -> None:
    assert stack.sign_in(browsers[0]) == 303
    (tokens,) = stack.sessions()
    contexts = [context for _, context in stack.kms.calls]
    assert {"tenant": stack.tenant, "purpose": PURPOSE, "key": str(named_key(tokens))} in contexts
    assert {(context["tenant"], context["purpose"]) for context in contexts} == {
        (stack.tenant, PURPOSE),
        (stack.tenant, "audit-subject"),
    }
    # The superuser gives the tenant's keys and session to another tenant: KMS doesn't unwrap them there.
    thief = f"org-{uuid4()}"
    execute(
        stack.urls.admin_url,
        f"INSERT INTO tenants (tenant_id) VALUES ('{thief}')",
        f"UPDATE data_keys SET tenant_id = '{thief}' WHERE tenant_id = '{stack.tenant}'",
    )

    async def steals(keys: DataKeys) -> None:
        with pytest.raises(EnvelopeBroken, match="KMS doesn't unwrap"):
            await keys.current(KeyOwner(thief, PURPOSE))

    asyncio.run(with_keys(stack, steals))


def test_rotations_and_rewrappings_under_load_lose_nothing(stack: Stack, browsers: list[Browser]) -> None:
    """Six browsers refresh without a pause, while all data keys are rotated, and moved between two KMS keys."""
    assert [stack.sign_in(browser) for browser in browsers] == [303] * len(browsers)
    done = threading.Event()

    def use(browser: Browser) -> list[tuple[int, str | None]]:
        found = []
        while not done.is_set():
            found.append(stack.refresh(browser))
        return found

    async def change(_: DataKeys) -> int:
        database, work = PooledDatabase(stack.urls.app_url), 0
        try:
            for turn in range(6):
                arns = stack.kms.arns[:: -1 if turn % 2 else 1]
                wrapper = KeyEncryption(local_keys(), KmsKeys(arns, lambda _: stack.kms))
                keys = AllKeys(DataKeyRepository(database), wrapper)
                rotated, rewrapped = await asyncio.gather(
                    keys.rotate(Selection(stack.tenant)), keys.rewrap(Selection(stack.tenant))
                )
                work += rotated.keys + rewrapped.keys
        finally:
            await database.dispose()
        return work

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(browsers)) as threads:
        # The processes read their keys again all the time.
        patch.setattr(cache, "HELD_SECONDS", 0.05)
        using = [threads.submit(use, browser) for browser in browsers]
        try:
            assert asyncio.run(with_keys(stack, change)) >= 12
        finally:
            done.set()
        outcomes = [outcome for each in using for outcome in each.result()]
    assert set(outcomes) == {(200, None)}
    assert len(outcomes) >= 2 * len(browsers)
    # Afterwards, a process that knows no key opens every session; each has the provider's newest refresh token.
    with nothing_in_memory():
        assert [stack.refresh(browser) for browser in browsers] == [(200, None)] * len(browsers)
    assert len(stack.sessions()) == len(browsers)


async def with_keys[T](stack: Stack, work: Callable[[DataKeys], Awaitable[T]]) -> T:
    """Run the work as another process, with its own keys."""
    database = PooledDatabase(stack.urls.app_url)
    try:
        wrapper = KeyEncryption(local_keys(), KmsKeys(stack.kms.arns, lambda _: stack.kms))
        return await work(DataKeys(DataKeyRepository(database), wrapper))
    finally:
        await database.dispose()
