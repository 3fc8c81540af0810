"""A trusted issuer that accepts connections and never responds: it costs its own callers, and no other caller."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import httpx2
import pytest

from tenantgate.errors.tokens import Overloaded, ProviderTimeout
from tenantgate.login.attempts.redirects import RedirectPolicy
from tenantgate.login.attempts.transactions import COOKIE_PREFIX, LoginTransaction
from tenantgate.login.provider.calls import Timeouts
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tenantgate.login.service.logout import LogoutService
from tenantgate.login.wiring import Ended
from tenantgate.tokens.waiting import MOST_WAITING
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import LOGIN, LoginApp, returned_to, running_login_app
from tests.fixtures.providers.issuer_server import IssuerServer
from tests.fixtures.providers.misbehaving import MisbehavingProvider
from tests.fixtures.revoked.keys import RevokedKeys
from tests.fixtures.servers.silent import SilentServer
from tests.fixtures.tokens.issuer import TENANT, b64, good_claims, sign

VALIDATE = "/api/v1/auth/validate"
AUDIENCE = "https://api.example.test"


def _unsigned(issuer: str, number: int) -> dict[str, str]:
    """The header of an unsigned token."""
    claims = good_claims(int(time.time()), iss=issuer, aud=AUDIENCE, jti=str(number))
    header = {"alg": "RS256", "kid": "rsa-1", "typ": "at+jwt"}
    return {"authorization": f"Bearer {b64(json.dumps(header))}.{b64(json.dumps(claims))}.{b64(bytes(256))}"}


@contextmanager
def _app(provider: str, *trusted: str) -> Iterator[LoginApp]:
    entries = [{"issuer": url, "audiences": [AUDIENCE], "tenants": [TENANT]} for url in trusted]
    with running_login_app(provider, audience=AUDIENCE, variables={"TRUSTED_ISSUERS": json.dumps(entries)}) as app:
        yield app


async def _get(client: httpx2.AsyncClient, path: str, headers: dict[str, str] | None = None) -> tuple[float, int, str]:
    """Seconds, status and error code."""
    started = time.monotonic()
    response = await client.get(path, headers={"accept": "application/json"} | (headers or {}))
    code = response.json()["error"]["code"] if response.status_code >= 400 else ""
    return time.monotonic() - started, response.status_code, code


def _client(app: LoginApp) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=app.base, timeout=30, limits=httpx2.Limits(max_connections=200), trust_env=False)


@pytest.mark.anyio
async def test_forty_tokens_that_name_a_silent_issuer_do_not_delay_a_sign_in(provider: MisbehavingProvider) -> None:
    with SilentServer() as silent, _app(provider.issuer, silent.url) as app:
        async with _client(app) as client, asyncio.TaskGroup() as group:
            started = time.monotonic()
            waiting = [group.create_task(_get(client, VALIDATE, _unsigned(silent.url, n))) for n in range(40)]
            await asyncio.sleep(0.2)
            sign_ins = [await _get(client, LOGIN) for _ in range(5)]
        ended = time.monotonic() - started
        assert {status for _, status, _ in sign_ins} == {200}
        assert max(seconds for seconds, _, _ in sign_ins) < 1.5
        assert {(task.result()[1], task.result()[2]) for task in waiting} == {(504, "SYS_004")}
        assert ended < 10, "all of them waited for the same fetch"
        async with _client(app) as client:
            seconds, status, _ = await _get(client, VALIDATE, _unsigned(silent.url, 41))
        assert (status, seconds < 1) == (504, True), "its failure was recorded, so the next caller is not made to wait"
        assert silent.connections <= 2


@pytest.mark.anyio
async def test_beyond_the_limit_callers_are_rejected_at_once_with_retry_after(
    provider: MisbehavingProvider,
) -> None:
    with _app(provider.issuer, (silent := SilentServer()).url) as app:
        async with _client(app) as client, asyncio.TaskGroup() as group:
            with silent:
                waiting = [
                    group.create_task(_get(client, VALIDATE, _unsigned(silent.url, n))) for n in range(MOST_WAITING)
                ]
                await asyncio.sleep(1)
                started = time.monotonic()
                beyond = [await client.get(VALIDATE, headers=_unsigned(silent.url, 1000 + n)) for n in range(10)]
                assert time.monotonic() - started < 1.5
            # The silent provider has closed its connections, which ends the waiting calls.
        assert {task.result()[2] for task in waiting} == {"SYS_004"}
        assert [response.status_code for response in beyond] == [503] * 10
        assert all(1 <= int(response.headers["retry-after"]) <= 5 for response in beyond)
        error = beyond[0].json()["error"]
        assert (error["code"], set(error)) == ("SYS_010", {"code", "message", "detail", "request_id"})


@pytest.mark.anyio
async def test_a_silent_login_provider_delays_neither_other_issuers_nor_more_requests_than_the_limit(
    issuer: IssuerServer,
) -> None:
    with _app((silent := SilentServer()).url, issuer.url) as app:
        token = sign(good_claims(int(time.time()), iss=issuer.url, aud=AUDIENCE))
        async with _client(app) as client, asyncio.TaskGroup() as group:
            with silent:
                sign_ins = [group.create_task(_get(client, LOGIN)) for _ in range(MOST_WAITING)]
                await asyncio.sleep(1)
                assert (await _get(client, LOGIN))[1:] == (503, "SYS_010")
                seconds, status, _ = await _get(client, VALIDATE, {"authorization": f"Bearer {token}"})
                assert (status, seconds < 1) == (200, True)
        assert {task.result()[2] for task in sign_ins} == {"SYS_004"}
        assert silent.connections == 1


@pytest.mark.anyio
async def test_a_silent_issuer_with_keys_in_memory_still_serves_them(
    provider: MisbehavingProvider, issuer: IssuerServer
) -> None:
    """A flood of unknown kids waits only for its own fetch."""
    with _app(provider.issuer, issuer.url) as app:
        token = sign(good_claims(int(time.time()), iss=issuer.url, aud=AUDIENCE))
        good = {"authorization": f"Bearer {token}"}
        unknown = sign(good_claims(int(time.time()), iss=issuer.url, aud=AUDIENCE), kid="rsa-9")
        async with _client(app) as client:
            assert (await _get(client, VALIDATE, good))[1] == 200
            issuer.custom_response = lambda _: time.sleep(3)
            async with asyncio.TaskGroup() as group:
                flood = [
                    group.create_task(_get(client, VALIDATE, {"authorization": f"Bearer {unknown}"})) for _ in range(20)
                ]
                await asyncio.sleep(0.2)
                checked = [await _get(client, VALIDATE, good) for _ in range(10)]
        assert {status for _, status, _ in checked} == {200}
        assert max(seconds for seconds, _, _ in checked) < 1
        assert {(task.result()[1], task.result()[2]) for task in flood} == {(401, "AUTH_004")}
        assert max(task.result()[0] for task in flood) < 3
        assert issuer.fetches() == 2


class _Secret:
    async def get(self, _: str) -> str:
        return "secret"

    def invalidate(self) -> None:
        return


@pytest.mark.anyio
async def test_a_silent_token_endpoint_holds_no_more_requests_than_the_limit(provider: MisbehavingProvider) -> None:
    transaction = LoginTransaction(
        issuer=provider.issuer,
        redirect_uri="https://app.example.test/callback",
        return_to="/",
        state="state",
        nonce="nonce",
        code_verifier="verifier",
        expires_at=int(time.time()) + 600,
    )
    limits = Timeouts(connect=1.0, read=1.0, total=1.0)
    client = ProviderClient(ClientRegistration("client", ("openid",)), _Secret(), timeouts=limits)
    with SilentServer() as silent:
        document = provider.metadata() | {"token_endpoint": f"{silent.url}/token"}
        metadata = ProviderMetadata.from_document(document, source=provider.issuer)

        async def exchange() -> type[Exception]:
            try:
                await client.exchange(metadata, code="code", transaction=transaction)
            except (ProviderTimeout, Overloaded) as error:
                return type(error)
            raise AssertionError("a silent endpoint gave tokens")

        outcomes = Counter(await asyncio.gather(*(exchange() for _ in range(MOST_WAITING + 5))))
        assert outcomes == {ProviderTimeout: MOST_WAITING, Overloaded: 5}
        assert await exchange() is ProviderTimeout, "there is room again"


class _Busy:
    """A sign-in service that is overloaded."""

    async def complete(self, *_: object, **__: object) -> NoReturn:
        raise Overloaded("too many wait", retry_after=3)


def test_an_attempt_that_was_rejected_by_an_overloaded_server_can_be_completed_later(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    url, service = returned_to(browser, app), app.service
    app.service = _Busy()  # type: ignore[assignment]
    refused = browser.get(url)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    assert len(browser.named(COOKIE_PREFIX)) == 1
    app.service = service
    assert browser.get(url).status_code == 303


@pytest.mark.anyio
async def test_a_sign_out_ends_the_session_here_even_if_too_many_requests_wait_for_the_provider() -> None:
    ended: list[str] = []

    class Sessions:
        async def end(self, secret: str) -> Ended:
            ended.append(secret)
            return Ended(())

        async def end_named(self, *, issuer: str, subject: str, sid: str) -> NoReturn:
            raise AssertionError("no token was given")

    async def sessions() -> Sessions:
        return Sessions()

    async def provider() -> NoReturn:
        raise Overloaded("too many wait", retry_after=3)

    service = LogoutService(
        registration=ClientRegistration("client", ("openid",)),
        redirects=RedirectPolicy(allowed_origins=(), public_base_url="https://gate.example.test"),
        provider=provider,
        revoker=None,  # type: ignore[arg-type]
        verifier=None,  # type: ignore[arg-type]
        sessions=sessions,
        require_key=RevokedKeys().require,
    )
    signed_out = await service.sign_out(redirect_uri=None, bearer=None, session_cookie="cookie")
    assert ended == ["cookie"]
    with pytest.raises(Overloaded) as raised:
        signed_out.require_logout_url()
    assert "signed out here" in str(raised.value.detail)


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with IssuerServer().running() as server:
        yield server
