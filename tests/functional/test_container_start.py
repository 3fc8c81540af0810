"""The container's start script: migrate as the owner, then serve; with a real PostgreSQL."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest

from tenantgate.database import migrator
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresAddresses
from tests.fixtures.databases.postgres import execute
from tests.fixtures.servers.ports import reserved_port


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddresses]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as chosen:
        yield chosen


def variables(database_url: str, owner_url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}",
        "ENVIRONMENT": "production",
        "PORT": str(port),
        "DRAIN_SECONDS": "0",
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
    # In another working directory: the start must not depend on it.
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


def test_migrates_serves_and_stops_on_a_signal(postgres: PostgresAddresses, tmp_path: Path, port: int) -> None:
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
    # One line for each request, and none of uvicorn's access log, which would contain query strings.
    assert [line["context"]["path"] for line in said if line["message"] == "request completed"] == [
        "/api/v1/health/ready",
        "/nowhere",
    ]
    assert not [line for line in said if line["logger"] == "uvicorn.access"]


@pytest.mark.parametrize("given_as", ["DATABASE_URL", "both"])
@pytest.mark.parametrize("role", ["owner_url", "admin_url"])
def test_the_owners_url_is_enough_and_does_not_reach_the_server(
    postgres: PostgresAddresses, tmp_path: Path, port: int, role: str, given_as: str
) -> None:
    owner: str = getattr(postgres, role)
    password = str(urlsplit(owner).password)
    environment = variables(owner, owner if given_as == "both" else "", port) | {
        "PGPASSWORD": password,
        "DATABASE_PRIVATE_URL": owner,
        "JDBC_URL": f"jdbc:postgresql://db/name?user=owner&password={password}",
        "UNRELATED": "kept",
    }
    with started(environment, tmp_path) as process:
        assert process.stdout is not None
        lines = list(takewhile(lambda line: "Uvicorn running" not in line, process.stdout))
        ready = httpx2.get(f"http://127.0.0.1:{port}/api/v1/health/ready")
        file = Path(f"/proc/{process.pid}/environ")
        known = file.read_text(encoding="utf-8").split("\0") if file.exists() else []

    assert (ready.status_code, ready.json()["checks"]["database"]) == (200, "ok"), lines
    assert password not in "".join(lines)
    if known:
        assert password not in "".join(known)
        assert "UNRELATED=kept" in known
        (url,) = (entry for entry in known if entry.startswith("DATABASE_URL="))
        assert url.startswith("DATABASE_URL=postgresql://tenantgate_tenantgate_")


def test_pgvector_is_optional_and_enabled_once_the_server_offers_it(tmp_path: Path, port: int) -> None:
    # Railway's PostgreSQL doesn't have it.
    warning = "this database has no pgvector: the server doesn't offer it, or the owner may not create it"
    seen = []
    for settings in ({"extension_control_path": "/nowhere"}, {}):
        server = EmbeddedPostgres(tmp_path / "postgres", settings=settings)
        try:
            addresses = server.start()
            with started(variables(addresses.admin_url, "", port), tmp_path) as process:
                assert process.stdout is not None
                lines = [
                    json.loads(line) for line in takewhile(lambda line: "Uvicorn running" not in line, process.stdout)
                ]
                ready = httpx2.get(f"http://127.0.0.1:{port}/api/v1/health/ready")
        finally:
            server.stop()
        warned = [line["message"] for line in lines if line["level"] == "WARNING"]
        seen.append((ready.status_code, ready.json()["checks"]["vector"], warning in warned))
    assert seen == [(200, "absent", True), (200, "ok", False)]


def test_a_rollback_serves_the_database_of_a_newer_version(
    postgres: PostgresAddresses, tmp_path: Path, port: int
) -> None:
    migrator.upgrade(postgres.owner_url)
    ((row,),) = execute(postgres.owner_url, "SELECT version_num FROM alembic_version")
    execute(postgres.owner_url, "UPDATE alembic_version SET version_num = '9999'")
    try:
        with started(variables(postgres.app_url, postgres.owner_url, port), tmp_path) as process:
            assert process.stdout is not None
            lines = list(takewhile(lambda line: "Uvicorn running" not in line, process.stdout))
            ready = httpx2.get(f"http://127.0.0.1:{port}/api/v1/health/ready")
    finally:
        execute(postgres.owner_url, f"UPDATE alembic_version SET version_num = '{row['version_num']}'")

    said = json.loads(lines[0])
    assert (said["level"], said["message"]) == (
        "WARNING",
        "the database was made by a newer Tenantgate; serving without a migration",
    )
    assert said["context"] == {"revision": "9999", "newest_known": row["version_num"]}
    assert (ready.status_code, ready.json()["checks"]["schema"]) == (200, "warning")


def test_a_role_that_may_not_migrate_stops_it_with_the_variable_to_set(
    postgres: PostgresAddresses, tmp_path: Path, port: int
) -> None:
    migrator.upgrade(postgres.owner_url)
    with started(variables(postgres.app_url, "", port), tmp_path) as process:
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    context = json.loads(said.splitlines()[-1])["context"]
    assert context["error_code"] == "SYS_008"
    assert context["detail"]["reason"] == "permission denied to alter role"
    assert "DATABASE_OWNER_URL" in context["remedy"]


def test_an_owner_without_a_password_stops_it_with_the_variable_to_set(tmp_path: Path, port: int) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    addresses = server.start()
    rules = server.data_dir / "cluster" / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 trust\n")
    parts = urlsplit(addresses.admin_url)
    url = urlunsplit(parts._replace(netloc=f"postgres@{parts.hostname}:{parts.port}"))
    try:
        execute(addresses.admin_url, "SELECT pg_reload_conf()")
        with started(variables(url, "", port), tmp_path) as process:
            said, _ = process.communicate(timeout=60)
    finally:
        server.stop()

    assert process.returncode == 1
    detail = json.loads(said.splitlines()[-1])["context"]["detail"]
    assert "has no password" in detail["reason"]
    assert "DATABASE_OWNER_URL" in detail["remedy"]


def test_an_invalid_setting_stops_it_with_one_message(tmp_path: Path, port: int) -> None:
    environment = variables("mysql://host/name", "postgresql://owner:pw@127.0.0.1:9/name", port)
    with started(environment | {"ALLOWED_ORIGINS": "*"}, tmp_path) as process:
        said, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert said.startswith("Tenantgate can't start: 2 settings are wrong.")
    assert "DATABASE_URL" in said
    assert "ALLOWED_ORIGINS" in said


def test_notes_on_settings_are_logged_once_without_their_values(
    postgres: PostgresAddresses, tmp_path: Path, port: int
) -> None:
    environment = variables(postgres.app_url, postgres.owner_url, port) | {
        "OIDC_ISUER_URL": "canary-of-a-value",
        "AWS_SECRETS_MANAGER_SECRET_ID": "canary-of-a-name",
    }
    with started(environment, tmp_path) as process:
        assert process.stdout is not None
        lines = list(takewhile(lambda line: "Uvicorn running" not in line, process.stdout))

    warnings = [
        said["message"] for line in lines if (said := json.loads(line))["logger"] == "tenantgate.settings.notes"
    ]
    assert warnings == [
        "OIDC_ISUER_URL is not a setting; did you mean OIDC_ISSUER_URL?",
        "OIDC_CLIENT_SECRET in the environment is ignored: AWS_SECRETS_MANAGER_SECRET_ID is set",
        "COOKIE_SEALING_KEYS in the environment is ignored: AWS_SECRETS_MANAGER_SECRET_ID is set",
    ]
    assert "canary" not in "".join(lines)


def test_an_unreachable_database_stops_it_before_it_serves(tmp_path: Path, port: int) -> None:
    url = "postgresql://owner:pw@127.0.0.1:9/name"
    with started(variables(url, url, port), tmp_path) as process:
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    last = json.loads(said.splitlines()[-1])
    assert last["message"] == "the migration failed; not serving"
    assert "DatabaseUnreachable" in json.dumps(last["context"])
    assert ":pw@" not in said
