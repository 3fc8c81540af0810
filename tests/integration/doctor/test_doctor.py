"""`tenantgate doctor` with real parts, one of them broken at a time: its line says so, and has a fix."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
import redis
from moto import mock_aws
from typer.testing import CliRunner, Result

from tenantgate.aws.secrets_manager import secrets_client
from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate.revoked.snapshot import HEAD_KEY, Head
from tenantgate_cli.doctor.configuration import configuration
from tenantgate_cli.doctor.registry import run
from tenantgate_cli.main import app
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.valkey import command, frozen
from tests.fixtures.doctor.configured import DISCOVERY, metadata
from tests.fixtures.servers.scripted_api import Reply, ScriptedApi
from tests.fixtures.servers.silent import SilentServer

PARTS = (
    *("settings", "discovery", "keys", "database", "row security", "schema", "owner", "valkey", "revocation list"),
    *("republisher", "secrets", "kms key", "data keys", "audit log"),
    *("provider clock", "database clock", "valkey clock", "security events", "public url"),
)


def doctor(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--data-dir", str(folder), *options])


def checks(folder: Path) -> dict[str, dict[str, Any]]:
    result = doctor(folder, "--json")
    (line,) = result.stdout.splitlines()
    shown = json.loads(line)
    found = {check["check"].partition(" http")[0]: check for check in shown["checks"]}
    failing = any(check["status"] == "failed" for check in found.values())
    assert (shown["ok"], result.exit_code) == (not failing, int(failing))
    assert all(bool(check["fix"]) is (check["status"] in ("warning", "failed")) for check in found.values())
    return found


def statuses(folder: Path) -> dict[str, str]:
    return {name: check["status"] for name, check in checks(folder).items()}


@contextmanager
def changed(urls: DatabaseUrls, change: str, back: str) -> Iterator[None]:
    execute(urls.admin_url, change)
    try:
        yield
    finally:
        execute(urls.admin_url, back)


def test_everything_is_checked_live(configured: dict[str, str], tmp_path: Path) -> None:
    found = statuses(tmp_path)

    assert tuple(found) == PARTS
    assert {name for name, status in found.items() if status != "ok"} == {"kms key", "security events"}


def test_no_output_contains_a_secret(
    configured: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = doctor(tmp_path).output + doctor(tmp_path, "--json").output
    # Each driver now has a reason to quote its URL.
    monkeypatch.setenv(
        "DATABASE_URL", "postgresql://role:a%20very-secret-password@127.0.0.1:1/tenantgate?sslmode=disable"
    )
    monkeypatch.setenv("REDIS_URL", "redis://role:another-secret-password@127.0.0.1:1/0")
    monkeypatch.setenv("COOKIE_SEALING_KEYS", "not-a-key-but-secret,too-secret")
    shown += doctor(tmp_path).output + doctor(tmp_path, "--json").output

    secret = (
        *(
            configured["OIDC_CLIENT_SECRET"],
            configured["COOKIE_SEALING_KEYS"],
            "very-secret",
            "another-secret-password",
        ),
        *("not-a-key-but-secret", "too-secret"),
    )
    assert [word for word in secret if word in shown] == []
    assert "✗ database" in shown


def test_invalid_settings_leave_the_rest_unchecked(
    configured: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_LEEWAY_SECONDS", "many")
    monkeypatch.setenv("REDIS_URL", "http://x")

    found = checks(tmp_path)

    assert "JWT_LEEWAY_SECONDS" in found["settings"]["found"]
    assert "REDIS_URL" in found["settings"]["found"]
    assert {check["status"] for name, check in found.items() if name != "settings"} == {"skipped"}


def test_without_a_configuration_the_failure_says_so(
    tmp_path: Path, configured: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in configured:
        monkeypatch.delenv(name)
    monkeypatch.setattr("tenantgate_cli.doctor.configuration.environment", dict)

    result = doctor(tmp_path, "--json")

    assert result.exit_code == 1
    assert "nothing is configured" in json.loads(result.stdout)["problems"][0]["problem"]


def test_a_misspelled_name_is_a_warning(
    configured: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_ISUER_URL", "https://id.example.com")

    assert "OIDC_ISUER_URL" in checks(tmp_path)["settings"]["found"]


@pytest.mark.parametrize(
    "case", [("admin_url", "is a superuser"), ("owner_url", "owns tables")], ids=["superuser", "owner"]
)
def test_a_role_that_could_read_other_tenants_fails(
    case: tuple[str, str],
    configured: dict[str, str],
    database_urls: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role, words = case
    monkeypatch.setenv("DATABASE_URL", getattr(database_urls, role))

    found = checks(tmp_path)

    assert found["database"]["status"] == "failed"
    assert words in found["database"]["found"]
    assert found["owner"]["status"] == ("failed" if role == "owner_url" else "ok")


def test_the_owners_login_may_be_in_secrets_manager(
    configured: dict[str, str], database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(database_urls.owner_url)
    login = {"username": parts.username, "password": unquote(parts.password or "")}
    for name, value in {
        "DATABASE_OWNER_URL": parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl(),
        "DATABASE_OWNER_SECRET_ID": "owner",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        secrets_client.cache_clear()
        missing = checks(tmp_path)["owner"]
        boto3.client("secretsmanager", "eu-central-1").create_secret(Name="owner", SecretString=json.dumps(login))
        found = checks(tmp_path)["owner"]
    secrets_client.cache_clear()

    assert (missing["status"], found["status"]) == ("failed", "ok")
    assert found["found"] == f"{parts.username} may change the schema"


def test_a_table_without_forced_row_security_fails(
    configured: dict[str, str], database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    change = "ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY"
    with changed(database_urls, change, "ALTER TABLE sessions FORCE ROW LEVEL SECURITY"):
        found = checks(tmp_path)

    assert (found["row security"]["status"], "sessions" in found["row security"]["found"]) == ("failed", True)


@pytest.mark.parametrize(("revision", "status"), [("0001", "failed"), ("9999", "warning")])
def test_the_schema_is_compared_with_the_code(
    revision: str, status: str, configured: dict[str, str], database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    update = "UPDATE alembic_version SET version_num = '{}'"
    with changed(database_urls, update.format(revision), update.format(KNOWN_REVISIONS[-1])):
        assert statuses(tmp_path)["schema"] == status


def test_what_may_drop_the_list_of_revocations_is_a_warning(configured: dict[str, str], tmp_path: Path) -> None:
    url = configured["REDIS_URL"]
    command(url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert statuses(tmp_path)["valkey"] == "warning"
    finally:
        command(url, "CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_a_republisher_that_stopped_is_found(
    configured: dict[str, str], valkey_server: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another database of the server, to which nothing is published.
    monkeypatch.setenv("REDIS_URL", configured["REDIS_URL"].rpartition("/")[0] + "/1")

    found = statuses(tmp_path)

    assert (found["revocation list"], found["republisher"], found["valkey"]) == ("failed", "failed", "ok")


def test_an_old_list_fails(configured: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = configured["REDIS_URL"].rpartition("/")[0] + "/2"
    monkeypatch.setenv("REDIS_URL", other)
    _set_in(other, HEAD_KEY, Head(1, int(time.time() * 1000) - 30_000).to_json())

    assert "30." in checks(tmp_path)["revocation list"]["found"]


def _set_in(url: str, key: str, value: bytes) -> None:
    with redis.Redis.from_url(url, protocol=2) as client:
        client.set(key, value)


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("discovery: failed", {DISCOVERY: {"issuer": "https://other.example.com"}}),
        ("discovery: failed", {DISCOVERY: {"token_endpoint": None}}),
        ("discovery: warning", {DISCOVERY: {"code_challenge_methods_supported": ["plain"]}}),
        ("keys: failed", {"GET /jwks": {"keys": []}}),
        ("keys: failed", {"GET /jwks": {"keys": [{"kty": "oct", "k": "eA"}]}}),
        ("public url: failed", {"GET /api/v1/health/live": {"status": "other"}}),
    ],
    ids=["other-issuer", "no-endpoint", "no-pkce", "no-keys", "unusable-keys", "other-api"],
)
def test_a_fault_of_another_server_is_found(
    expected: str, changes: dict[str, dict[str, object]], configured: dict[str, str], api: ScriptedApi, tmp_path: Path
) -> None:
    part, _, status = expected.partition(": ")
    for request, body in changes.items():
        api.changes[request] = metadata(api, **body) if request == DISCOVERY else Reply(200, body)

    assert statuses(tmp_path)[part] == status


def test_keys_of_other_algorithms_than_the_allowed_ones_fail(
    configured: dict[str, str], api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"issuer": api.url, "audiences": ["client"], "tenants": "*", "algorithms": ["ES256"]}
    monkeypatch.setenv("TRUSTED_ISSUERS", json.dumps([entry]))

    found = checks(tmp_path)["keys"]

    assert (found["status"], "ES256" in found["found"]) == ("failed", True)


def test_a_provider_whose_clock_is_wrong_fails(configured: dict[str, str], api: ScriptedApi, tmp_path: Path) -> None:
    body = json.dumps(metadata(api).body).encode()

    def late(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("date", formatdate(time.time() - 300, usegmt=True))
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    api.changes[DISCOVERY] = late

    found = checks(tmp_path)["provider clock"]

    assert (found["status"], "behind this machine" in found["found"]) == ("failed", True)


def test_parts_that_hang_delay_neither_the_others_nor_the_command(
    configured: dict[str, str], valkey_server: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SilentServer() as silent, frozen(valkey_server):
        monkeypatch.setenv("OIDC_ISSUER_URL", silent.url)
        monkeypatch.setenv(
            "DATABASE_OWNER_URL", f"postgresql://owner:x@{silent.url.removeprefix('http://')}/tenantgate"
        )
        began = time.monotonic()
        outcomes = {outcome.check.partition(" http")[0]: outcome for outcome in run(configuration(tmp_path), seconds=3)}

        assert time.monotonic() - began < 25
    hanging = ("discovery", "keys", "owner", "valkey", "revocation list", "republisher")
    assert {outcomes[name].finding.status for name in hanging} == {"failed"}
    assert outcomes["database"].finding.status == "ok"
    assert outcomes["public url"].finding.status == "ok"


def test_polled_endpoints_need_an_authorization_and_lose_no_event(
    configured: dict[str, str], api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {
        "issuer": api.url,
        "audiences": ["client"],
        "tenants": "*",
        "event_audiences": ["events"],
        "event_poll_url": f"{api.url}/poll",
    }
    monkeypatch.setenv("TRUSTED_ISSUERS", json.dumps([entry]))
    api.changes["POST /poll"] = Reply(200, {"sets": {}})

    without = checks(tmp_path)["security events"]
    monkeypatch.setenv("EVENT_POLL_AUTHORIZATION", json.dumps({api.url: "Bearer secret-of-the-poll"}))
    found = checks(tmp_path)["security events"]

    assert (without["status"], "EVENT_POLL_AUTHORIZATION" in without["found"]) == ("failed", True)
    assert (found["status"], found["found"]) == ("ok", "0 push their events, 1 are polled")
    assert api.bodies == [{"maxEvents": 0, "returnImmediately": True}]
