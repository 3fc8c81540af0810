"""`checks.cache` of the readiness check, with a real Valkey that is stopped and frozen."""

import base64
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx2
import pytest

from functions.health import routes
from tenantgate.cache import wiring
from tenantgate.cache.wiring import dispose_cache
from tenantgate.database.wiring import dispose_database
from tenantgate.revoked import holder
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.web.app import create_app
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.valkey import frozen
from tests.fixtures.servers.app_server import AppServer, free_socket

LIMIT_SECONDS = 0.5

type Serve = Callable[..., httpx2.Client]


@asynccontextmanager
async def disposing(_: object) -> AsyncIterator[None]:
    """End the loop's connections with it, as the container does."""
    yield
    await dispose_cache()
    await dispose_database()


def forget_singletons() -> None:
    for made in (get_settings, secret_store, routes.readiness, wiring._warn):
        made.cache_clear()


@pytest.fixture
def serve(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve the API with these variables, as in a new process."""
    variables = {
        "ENVIRONMENT": "test",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": database_urls.app_url,
        "OIDC_CLIENT_SECRET": "x",
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    servers: list[AppServer] = []
    clients: list[httpx2.Client] = []

    def started(**more: str) -> httpx2.Client:
        for name in ("REDIS_URL", "REDIS_TLS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**variables, **more}.items():
            monkeypatch.setenv(name, value)
        forget_singletons()
        sock = free_socket()
        servers.append(AppServer(create_app(routes.router, lifespan=disposing), sock))
        servers[-1].__enter__()
        clients.append(httpx2.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=10))
        return clients[-1]

    yield started
    for client in clients:
        client.close()
    for server in servers:
        server.__exit__(None, None, None)
    forget_singletons()


def checked(api: httpx2.Client) -> tuple[int, str, float]:
    """Return the status code, the cache's status, and the seconds of the response."""
    began = time.perf_counter()
    response = api.get("/api/v1/health/ready")
    return response.status_code, response.json()["checks"]["cache"], time.perf_counter() - began


def test_without_the_setting_it_is_absent(serve: Serve) -> None:
    assert checked(serve())[:2] == (200, "absent")


@pytest.mark.timed
def test_a_frozen_or_stopped_cache_is_a_warning_in_time_until_it_responds_again(
    serve: Serve, own_valkey: Callable[..., EmbeddedValkey], capsys: pytest.CaptureFixture[str]
) -> None:
    server = own_valkey()
    api = serve(REDIS_URL=server.start())
    assert checked(api)[:2] == (200, "ok")

    with frozen(server):
        for _ in range(3):
            status, cache, seconds = checked(api)
            assert (status, cache) == (200, "warning")
            assert seconds < LIMIT_SECONDS
        with ThreadPoolExecutor(8) as pool:
            assert {found[:2] for found in pool.map(lambda _: checked(api), range(16))} == {(200, "warning")}
    assert checked(api)[:2] == (200, "ok")

    server.stop()
    status, cache, seconds = checked(api)
    assert (status, cache) == (200, "warning")
    assert seconds < LIMIT_SECONDS
    server.start()
    assert checked(api)[:2] == (200, "ok")
    assert capsys.readouterr().out.count("the cache doesn't respond") >= 4


@pytest.mark.parametrize("tls", ["encrypted", "private-network"])
def test_a_cache_that_is_not_verified_is_a_warning_whose_reason_is_logged_once(
    serve: Serve, redis_url: str, capsys: pytest.CaptureFixture[str], tls: str
) -> None:
    api = serve(REDIS_URL=redis_url, REDIS_TLS=tls)
    for _ in range(3):
        assert checked(api)[:2] == (200, "warning")
    logged = f"REDIS_TLS={tls}: connections to the cache may reach a server that isn't verified"
    assert capsys.readouterr().out.count(logged) == 1


def test_a_wrong_password_is_a_warning_and_in_no_log(
    serve: Serve, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api = serve(REDIS_URL=redis_url.replace("redis://:", "redis://:canary"))
    assert checked(api)[:2] == (200, "warning")
    log = capsys.readouterr().out
    assert "AuthenticationError" in log
    assert "canary" not in log


def test_the_list_of_revocations_is_ok_with_a_cache_and_a_warning_when_both_sources_are_away(
    serve: Serve, own_valkey: Callable[..., EmbeddedValkey], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_valkey()
    api = serve(REDIS_URL=server.start())
    assert api.get("/api/v1/health/ready").json()["checks"]["revocation"] == "ok"
    server.stop()
    # From PostgreSQL.
    assert api.get("/api/v1/health/ready").json()["checks"]["revocation"] == "ok"
    monkeypatch.setattr(holder, "BOUND_SECONDS", 0.0)
    assert api.get("/api/v1/health/ready").json()["checks"]["revocation"] == "warning"
