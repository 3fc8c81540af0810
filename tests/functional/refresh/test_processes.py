"""One session, refreshed by many callers at several processes: one redemption, one result, and processes that die."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.built_in import sealing_key
from tests.fixtures.providers.misbehaving import CLIENT_ID, CLIENT_SECRET, CannedResponse, MisbehavingProvider
from tests.fixtures.servers.containers import ContainerProcess, ContainerProcesses, container_processes

ORIGIN = "https://app.example.com"
BASE_URL = "http://127.0.0.1:1"
COOKIE = "__Host-tg_session"
DISCOVERY = "/.well-known/openid-configuration"
# A lease without an extension runs out after 5 s.
LEASE = 5


@dataclass(frozen=True)
class Stack:
    provider: MisbehavingProvider
    processes: ContainerProcesses
    kept: list[ContainerProcess]

    def redemptions(self) -> int:
        """Return the number of refresh tokens that the provider was sent."""
        return sum(request.form.get("grant_type") == "refresh_token" for request in self.provider.asked("/token"))

    def sign_in(self) -> str:
        """Sign in at the first process, and return the session cookie."""
        with Browser() as browser:
            url = location(browser.get(f"{self.kept[0].url}/api/v1/auth/login"))
            path = location(browser.get(url)).removeprefix(BASE_URL)
            assert browser.get(self.kept[0].url + path).status_code == 303
            return browser.named(COOKIE)[COOKIE]

    def refresh(self, process: ContainerProcess, cookie: str) -> httpx2.Response:
        return httpx2.post(f"{process.url}/api/v1/auth/refresh", headers=headers(cookie), timeout=40, trust_env=False)


def headers(cookie: str) -> dict[str, str]:
    return {"origin": ORIGIN, "cookie": f"{COOKIE}={cookie}"}


def new_cookie(response: httpx2.Response) -> str:
    assert response.status_code == 200, response.text
    return response.headers["set-cookie"].partition(";")[0].removeprefix(f"{COOKIE}=")


@pytest.fixture(scope="module")
def stack(database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("containers")
    with MisbehavingProvider() as provider:
        provider.issues_refresh_tokens = True
        variables = {
            "ENVIRONMENT": "test",
            "PUBLIC_BASE_URL": BASE_URL,
            "ALLOWED_ORIGINS": ORIGIN,
            "DATABASE_URL": database_urls.app_url,
            "OIDC_ISSUER_URL": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_AUDIENCE": provider.audience,
            "COOKIE_SEALING_KEYS": sealing_key(),
        }
        with container_processes(variables, folder) as processes:
            yield Stack(provider, processes, processes.start(4))


@pytest.fixture(autouse=True)
def well_behaved(stack: Stack) -> Iterator[None]:
    yield
    stack.provider.responses.clear()
    stack.provider.before_signing = lambda: None
    stack.provider.rotates_refresh_tokens = True


async def at_once(processes: list[ContainerProcess], cookie: str, callers: int) -> list[httpx2.Response]:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(timeout=40, trust_env=False, limits=limits) as client:
        urls = [f"{processes[number % len(processes)].url}/api/v1/auth/refresh" for number in range(callers)]
        return await asyncio.gather(*(client.post(url, headers=headers(cookie)) for url in urls))


def require_one_result(responses: list[httpx2.Response]) -> None:
    assert {response.status_code for response in responses} == {200}, [response.text for response in responses]
    assert len({response.json()["access_token"] for response in responses}) == 1
    assert len({new_cookie(response) for response in responses}) == 1
    assert len({response.headers["x-csrf-token"] for response in responses}) == 1


# With other tests at the same time, some callers may wait for longer than the limit of a wait.
@pytest.mark.timed
def test_200_callers_at_4_processes_get_the_result_of_one_redemption(stack: Stack) -> None:
    cookie, before = stack.sign_in(), stack.redemptions()
    stack.provider.before_signing = lambda: time.sleep(0.5)
    responses = asyncio.run(at_once(stack.kept, cookie, 200))
    require_one_result(responses)
    assert stack.redemptions() == before + 1
    # The session is live, with the old cookie and the new one.
    for secret in (cookie, new_cookie(responses[0])):
        for process in stack.kept:
            sessions = httpx2.get(f"{process.url}/api/v1/auth/sessions", headers=headers(secret), trust_env=False)
            assert sessions.status_code == 200, sessions.text


def test_a_provider_that_takes_20_seconds_is_waited_for(stack: Stack) -> None:
    cookie, before = stack.sign_in(), stack.redemptions()
    stack.provider.before_signing = lambda: time.sleep(20)
    began = time.monotonic()
    responses = asyncio.run(at_once(stack.kept, cookie, 16))
    assert time.monotonic() - began > 20
    require_one_result(responses)
    assert stack.redemptions() == before + 1


def kill_while(stack: Stack, cookie: str, *, is_reached: Callable[[], bool], release: Callable[[], None]) -> None:
    """Kill a new process during its refresh of this session, as soon as the state is reached."""
    (victim,) = stack.processes.start()
    request = threading.Thread(target=_ignoring_its_end, args=(stack, victim, cookie))
    request.start()
    ends = time.monotonic() + 20
    while not is_reached():
        assert time.monotonic() < ends, victim.log.read_text(encoding="utf-8")
        time.sleep(0.01)
    victim.kill()
    request.join()
    release()


def _ignoring_its_end(stack: Stack, victim: ContainerProcess, cookie: str) -> None:
    try:
        stack.refresh(victim, cookie)
    except httpx2.HTTPError:
        return
    raise AssertionError("the process responded before it was killed")


def test_a_process_killed_before_the_provider_was_called_costs_nothing(stack: Stack) -> None:
    cookie, before = stack.sign_in(), stack.redemptions()
    asked = len(stack.provider.asked(DISCOVERY))
    # The new process has the lease, and waits for the provider's metadata.
    stack.provider.responses[DISCOVERY] = CannedResponse(hold=stack.provider.hold())
    kill_while(
        stack,
        cookie,
        is_reached=lambda: len(stack.provider.asked(DISCOVERY)) > asked,
        release=stack.provider.responses.clear,
    )
    began = time.monotonic()
    responses = asyncio.run(at_once(stack.kept, cookie, 8))
    assert time.monotonic() - began < LEASE + 5
    require_one_result(responses)
    assert stack.redemptions() == before + 1


def test_a_process_killed_while_the_provider_works_and_a_retry_that_it_accepts(stack: Stack) -> None:
    cookie, before = stack.sign_in(), stack.redemptions()
    # The provider has not spent the refresh token, or accepts it again for a while.
    stack.provider.responses["/token"] = CannedResponse(hold=stack.provider.hold())
    kill_while(
        stack,
        cookie,
        is_reached=lambda: stack.redemptions() == before + 1,
        release=stack.provider.responses.clear,
    )
    require_one_result(asyncio.run(at_once(stack.kept, cookie, 8)))
    assert stack.redemptions() == before + 2


def test_a_process_killed_after_the_redemption_ends_the_session_cleanly(stack: Stack) -> None:
    cookie, before = stack.sign_in(), stack.redemptions()
    reached, released = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        released.wait(20)

    stack.provider.before_signing = wait
    kill_while(stack, cookie, is_reached=reached.is_set, release=released.set)
    stack.provider.before_signing = lambda: None
    responses = asyncio.run(at_once(stack.kept, cookie, 8))
    assert {(response.status_code, response.json()["error"]["code"]) for response in responses} == {(401, "AUTH_020")}
    assert all(response.headers["set-cookie"].startswith(f"{COOKIE}=; Max-Age=0") for response in responses)
    assert stack.redemptions() == before + 2


def test_no_secret_or_token_is_in_a_log(stack: Stack) -> None:
    cookie = stack.sign_in()
    refreshed = stack.refresh(stack.kept[1], cookie)
    forged = stack.refresh(stack.kept[2], cookie[:-1] + ("A" if cookie[-1] != "A" else "E"))
    assert forged.status_code == 401
    logs = "".join(process.log.read_text(encoding="utf-8") for process in stack.kept)
    assert "/api/v1/auth/refresh" in logs
    secrets = [
        cookie.rpartition(".")[2],
        new_cookie(refreshed).rpartition(".")[2],
        refreshed.json()["access_token"].rpartition(".")[2],
        refreshed.headers["x-csrf-token"],
        *stack.provider.refresh_tokens,
        CLIENT_SECRET,
    ]
    assert [secret for secret in secrets if secret in logs] == []
