"""The container's start script: migrate as the owner, then serve; with a real PostgreSQL."""

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tenantgate_cli.sam import ROOT
from tenantgate_cli.servers.postgres import EmbeddedPostgres, PostgresAddresses


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddresses]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.start()
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def variables(database_url: str, owner_url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}",
        "ENVIRONMENT": "production",
        "PORT": str(port),
        "PUBLIC_BASE_URL": "https://auth.example.com",
        "ALLOWED_ORIGINS": "https://app.example.com",
        "DATABASE_URL": database_url,
        "DATABASE_OWNER_URL": owner_url,
        "OIDC_ISSUER_URL": "https://issuer.example.com",
        "OIDC_CLIENT_ID": "tenantgate",
        "OIDC_CLIENT_SECRET": "a secret for tests",
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }


@contextmanager
def started(environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    # From a working directory of its own: nothing may depend on where it is started.
    process = subprocess.Popen(
        [sys.executable, "-m", "container.start"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_migrates_and_serves_and_ends_when_asked(postgres: PostgresAddresses, tmp_path: Path) -> None:
    port = free_port()
    lines = []
    # A user that doesn't exist yet: the start makes its login.
    host = postgres.app_url.rpartition("@")[2]
    application = f"postgresql://gate:{secrets.token_hex(8)}@{host}"
    with started(variables(application, postgres.owner_url, port), tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "Uvicorn running" in line:
                break
        ready = httpx2.get(f"http://127.0.0.1:{port}/api/v1/health/ready")
        unknown = httpx2.get(f"http://127.0.0.1:{port}/nowhere")
        environment = Path(f"/proc/{process.pid}/environ")
        if environment.exists():
            assert "DATABASE_OWNER_URL" not in environment.read_text(encoding="utf-8")
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "VAL_005")
    assert "server" not in ready.headers
    said = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert said[0]["message"] == "database migrated"
    assert (said[0]["context"]["before"], bool(said[0]["context"]["after"])) == (None, True)
    # One line for each request, ours: uvicorn's access log would tell query strings.
    assert [line["context"]["path"] for line in said if line["message"] == "request completed"] == [
        "/api/v1/health/ready",
        "/nowhere",
    ]
    assert not [line for line in said if line["logger"] == "uvicorn.access"]


def test_a_bad_setting_stops_it_with_one_message(tmp_path: Path) -> None:
    environment = variables("mysql://host/name", "postgresql://owner:pw@127.0.0.1:9/name", free_port())
    with started(environment | {"ALLOWED_ORIGINS": "*"}, tmp_path) as process:
        said, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert said.startswith("Tenantgate can't start: 2 settings are wrong.")
    assert "DATABASE_URL" in said
    assert "ALLOWED_ORIGINS" in said


def test_a_database_that_is_away_stops_it_before_it_serves(tmp_path: Path) -> None:
    url = f"postgresql://owner:pw@127.0.0.1:{free_port()}/name"
    with started(variables(url, url, free_port()), tmp_path) as process:
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    last = json.loads(said.splitlines()[-1])
    assert last["message"] == "the migration failed; not serving"
    assert "DatabaseUnreachable" in json.dumps(last["context"])
    assert ":pw@" not in said
