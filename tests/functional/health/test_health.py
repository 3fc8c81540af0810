"""Health over HTTP, with a real PostgreSQL and a fake Secrets Manager that can stop responding."""

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import httpx2
import psutil
import pytest

from functions.health import routes
from tenantgate.database import migrator, wiring
from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.web.app import create_app
from tests.fixtures.databases.postgres import execute, start_postgres
from tests.fixtures.servers.app_server import AppServer, free_socket

READY = "/api/v1/health/ready"
# The limit for each response, even when a dependency hangs.
LIMIT_SECONDS = 0.5


class SecretsManager:
    """Responds to GetSecretValue over HTTP. While it is frozen, it accepts connections and never responds."""

    def __init__(self) -> None:
        self.awake = threading.Event()
        self.awake.set()
        self.asked = 0
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                manager.asked += 1
                manager.awake.wait(30)
                members = {
                    "OIDC_CLIENT_SECRET": "a",
                    "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
                }
                body = json.dumps({"SecretString": json.dumps(members)}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """Ignore clients that disconnected."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.awake.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def forget_singletons() -> None:
    for made in (get_settings, secret_store, routes.readiness, wiring._warn, wiring._warn_of_schema):
        made.cache_clear()


@pytest.fixture(scope="module")
def manager() -> Iterator[SecretsManager]:
    with SecretsManager() as made:
        yield made


def migrate_without_vector(owner_url: str) -> None:
    migrator.upgrade(owner_url)
    execute(owner_url, "DROP EXTENSION vector")


@pytest.fixture(scope="module")
def postgres_pids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, str]]:
    """Yield the application's URL of a database without pgvector, the server's process id, and the owner's URL."""
    server = start_postgres(tmp_path_factory.mktemp("health"))
    try:
        addresses = server.start()
        assert server.pid is not None
        migrate_without_vector(addresses.owner_url)
        yield addresses.app_url, server.pid, addresses.owner_url
    finally:
        server.stop()


@pytest.fixture
def api(
    postgres_pids: tuple[str, int, str], manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx2.Client]:
    """Serve the API with new singletons, as in a new process."""
    variables = {
        "ENVIRONMENT": "test",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": postgres_pids[0],
        "AWS_SECRETS_MANAGER_SECRET_ID": "tenantgate",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": manager.url,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    forget_singletons()
    manager.awake.set()
    sock = free_socket()
    with AppServer(create_app(routes.router), sock):
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with httpx2.Client(base_url=address, timeout=10) as client:
            yield client
            manager.awake.set()  # otherwise the server would wait for its last call
    forget_singletons()


def timed(api: httpx2.Client, path: str = READY) -> tuple[httpx2.Response, float]:
    started = time.perf_counter()
    response = api.get(path)
    return response, time.perf_counter() - started


def frozen(pid: int) -> list[psutil.Process]:
    """Stop all processes of PostgreSQL with SIGSTOP, and return them."""
    postmaster = psutil.Process(pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    return processes


@pytest.mark.timed
def test_liveness_calls_no_dependency_and_is_quick(api: httpx2.Client, manager: SecretsManager) -> None:
    asked = manager.asked
    timed(api, "/api/v1/health/live")
    response, seconds = timed(api, "/api/v1/health/live")
    assert response.status_code == 200
    assert response.json().keys() == {"status", "timestamp"}
    assert response.json()["status"] == "ok"
    assert abs(response.json()["timestamp"] - time.time()) < 5
    assert isinstance(response.json()["timestamp"], int)
    assert seconds < 0.1
    assert manager.asked == asked


@pytest.mark.timed
def test_ready_when_every_dependency_responds(api: httpx2.Client) -> None:
    response, _ = timed(api)
    for _ in range(2):  # the first one imports modules
        response, seconds = timed(api)
    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["checks"]) == (
        "ready",
        {
            "database": "ok",
            "schema": "ok",
            "vector": "absent",
            "secrets": "ok",
            "cache": "absent",
            "revocation": "absent",
        },
    )
    assert isinstance(body["timestamp"], int)
    assert seconds < LIMIT_SECONDS


def test_pgvector_is_reported_when_it_exists(api: httpx2.Client, postgres_pids: tuple[str, int, str]) -> None:
    owner = postgres_pids[2]
    execute(owner, "CREATE EXTENSION vector")
    try:
        assert timed(api)[0].json()["checks"]["vector"] == "ok"
    finally:
        execute(owner, "DROP EXTENSION vector")
    response, _ = timed(api)
    assert (response.status_code, response.json()["checks"]["vector"]) == (200, "absent")


@pytest.fixture
def revision(postgres_pids: tuple[str, int, str]) -> Iterator[Callable[[str | None], None]]:
    """Return a function that changes the database's revision, which is the newest one again after the test."""
    owner = postgres_pids[2]

    def change(to: str | None) -> None:
        execute(owner, "DELETE FROM alembic_version")
        if to is not None:
            execute(owner, f"INSERT INTO alembic_version VALUES ('{to}')")

    yield change
    change(KNOWN_REVISIONS[-1])
    execute(owner, "GRANT SELECT ON alembic_version TO tenantgate_app")


@pytest.mark.parametrize("older", [None, KNOWN_REVISIONS[0]])
def test_a_schema_that_is_older_than_the_code_fails(
    api: httpx2.Client, revision: Callable[[str | None], None], caplog: pytest.LogCaptureFixture, older: str | None
) -> None:
    revision(older)
    for _ in range(3):
        response, _ = timed(api)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (503, "SYS_001")
        assert error["detail"]["checks"] == {
            "database": "ok",
            "schema": "failed",
            "vector": "absent",
            "secrets": "ok",
            "cache": "absent",
            "revocation": "absent",
        }
    (line,) = (record for record in caplog.records if "schema" in record.message)
    assert line.message == "the database's schema is older than the code: run the migrations"
    assert line.__dict__["context"] == {"revision": older, "newest_known": KNOWN_REVISIONS[-1]}


@pytest.mark.timed
def test_a_schema_that_is_newer_than_the_code_is_a_warning(
    api: httpx2.Client, revision: Callable[[str | None], None], caplog: pytest.LogCaptureFixture
) -> None:
    revision("9999")
    for _ in range(3):
        response, seconds = timed(api)
        assert (response.status_code, response.json()["status"]) == (200, "ready")
        assert response.json()["checks"]["schema"] == "warning"
    assert seconds < LIMIT_SECONDS
    (line,) = (record for record in caplog.records if "schema" in record.message)
    assert line.message == "the database's schema is newer than the code: this is expected after a rollback"


def test_a_schema_whose_revision_the_application_may_not_read_is_an_older_one(
    api: httpx2.Client, postgres_pids: tuple[str, int, str], revision: Callable[[str | None], None]
) -> None:
    execute(postgres_pids[2], "REVOKE SELECT ON alembic_version FROM tenantgate_app")
    response, _ = timed(api)
    assert (response.status_code, response.json()["error"]["detail"]["checks"]["schema"]) == (503, "failed")
    # As the next upgrade does, also without a migration to apply.
    migrator.upgrade(postgres_pids[2])
    assert timed(api)[0].json()["checks"]["schema"] == "ok"
    execute(postgres_pids[2], "DROP EXTENSION vector")


@pytest.mark.parametrize("tls", ["encrypted", "private-network"])
def test_a_database_that_is_not_verified_is_a_warning_whose_reason_is_logged_once(
    api: httpx2.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tls: str
) -> None:
    monkeypatch.setenv("DATABASE_TLS", tls)
    forget_singletons()
    for _ in range(3):
        response, _ = timed(api)
        assert (response.status_code, response.json()["checks"]["database"]) == (200, "warning")
    assert [line.message for line in caplog.records if "DATABASE_TLS" in line.message] == [
        f"DATABASE_TLS={tls}: connections to the database may reach a server that isn't verified"
    ]


@pytest.mark.timed
def test_a_frozen_database_is_reported_in_time_until_it_responds_again(
    api: httpx2.Client, postgres_pids: tuple[str, int, str]
) -> None:
    assert timed(api)[0].status_code == 200
    processes = frozen(postgres_pids[1])
    try:
        for _ in range(3):
            response, seconds = timed(api)
            assert seconds < LIMIT_SECONDS
            error = response.json()["error"]
            assert (response.status_code, error["code"]) == (503, "SYS_001")
            assert error["detail"]["checks"] == {
                "database": "failed",
                "secrets": "ok",
                "cache": "absent",
                "revocation": "absent",
            }
            assert isinstance(error["detail"]["timestamp"], int)
        with ThreadPoolExecutor(8) as pool:
            assert all(response.status_code == 503 for response, _ in pool.map(lambda _: timed(api), range(16)))
        assert timed(api, "/api/v1/health/live")[1] < 0.1
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 10
    while timed(api)[0].status_code != 200:
        assert time.monotonic() < deadline, "readiness did not recover"


@pytest.mark.timed
def test_a_frozen_secrets_manager_fails_when_no_secret_is_in_memory(
    api: httpx2.Client, manager: SecretsManager
) -> None:
    manager.awake.clear()
    timed(api)  # the first one imports modules
    response, seconds = timed(api)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "SYS_002")
    assert error["detail"]["checks"] == {
        "database": "ok",
        "schema": "ok",
        "vector": "absent",
        "secrets": "failed",
        "cache": "absent",
        "revocation": "absent",
    }
    assert seconds < LIMIT_SECONDS


@pytest.mark.timed
def test_a_frozen_secrets_manager_is_a_warning_when_every_secret_is_in_memory(
    api: httpx2.Client, manager: SecretsManager
) -> None:
    assert timed(api)[0].status_code == 200
    manager.awake.clear()
    secret_store().invalidate()
    response, seconds = timed(api)
    assert (response.status_code, response.json()["checks"]) == (
        200,
        {
            "database": "ok",
            "schema": "ok",
            "vector": "absent",
            "secrets": "warning",
            "cache": "absent",
            "revocation": "absent",
        },
    )
    assert seconds < LIMIT_SECONDS


def test_a_stopped_database_is_reported(tmp_path: Path, api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start_postgres(tmp_path)
    try:
        addresses = server.start()
        migrator.upgrade(addresses.owner_url)
        monkeypatch.setenv("DATABASE_URL", addresses.app_url)
        forget_singletons()
        assert timed(api)[0].status_code == 200
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while (response := timed(api)[0]).status_code == 200:
            assert time.monotonic() < deadline, "a dead database was reported ready"
        assert response.json()["error"]["code"] == "SYS_001"
    finally:
        server.stop()
