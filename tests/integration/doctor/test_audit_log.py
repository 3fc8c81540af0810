"""The audit log's keys, anchors and queue: usable, missing, wrong, or late."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate_cli.doctor import audit_log as checks
from tenantgate_cli.doctor.audit_log import audit_log
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute

VARIABLES = {
    "ENVIRONMENT": "development",
    "PUBLIC_BASE_URL": "http://localhost:8000",
    "OIDC_ISSUER_URL": "https://id.example.com",
    "OIDC_CLIENT_ID": "client",
    "OIDC_AUDIENCE": "api",
}


def checked(folder: Path | None, keys: str | None, **changes: str) -> Finding:
    anchors = {} if folder is None else {"AUDIT_ANCHOR_FOLDER": str(folder)}
    secrets = {} if keys is None else {"AUDIT_SIGNING_KEYS": keys}
    return audit_log(Configuration("the environment", {**VARIABLES, **anchors, **changes}, secrets))


def test_keys_sign_and_anchors_respond(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    keys = f"{new_sealing_key()},{new_sealing_key()}"
    found = checked(tmp_path, keys, DATABASE_URL=database_urls.app_url)
    assert (found.status, found.found) == (
        "ok",
        "2 key(s) sign checkpoints of localhost:8000; the anchors respond",
    )


def test_without_a_key_or_anchors_it_says_which_attack_nothing_shows(tmp_path: Path) -> None:
    unsealed, unanchored = checked(tmp_path, None), checked(None, new_sealing_key())
    assert (unsealed.status, unanchored.status) == ("warning", "warning")
    assert "nothing shows that one was changed" in unsealed.found
    assert "nothing shows that an old database was restored" in unanchored.found


@pytest.mark.parametrize("key", ["c2hvcnQ", "not base64url!"])
def test_a_key_of_another_form_fails_without_being_shown(key: str, tmp_path: Path) -> None:
    found = checked(tmp_path, key)
    assert found.status == "failed"
    assert key not in json.dumps(found.found + found.fix)


def test_anchors_that_cant_be_read_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Nothing listens there.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    found = checked(None, new_sealing_key(), AUDIT_ANCHOR_BUCKET="anchors", AWS_REGION="eu-central-1")
    assert (found.status, "EndpointConnectionError" in found.found) == ("failed", True)
    assert "s3:ListBucketVersions" in found.fix


def test_a_queue_that_is_older_than_the_window_fails(postgres_server: PostgresServer, tmp_path: Path) -> None:
    urls = postgres_server.create_database()
    try:
        execute(
            urls.admin_url,
            "INSERT INTO audit_queue (tenant_id, id, created_at)"
            " VALUES ('org-1', gen_random_uuid(), now() - interval '1 hour')",
        )
        found = checked(tmp_path, new_sealing_key(), DATABASE_URL=urls.app_url)
    finally:
        postgres_server.drop_database(urls)
    assert (found.status, "has waited for 3,6" in found.found) == ("failed", True)


def test_a_database_without_the_tables_fails(postgres_server: PostgresServer, tmp_path: Path) -> None:
    urls = postgres_server.create_database(migrated=False)
    try:
        found = checked(tmp_path, new_sealing_key(), DATABASE_URL=urls.app_url)
    finally:
        postgres_server.drop_database(urls)
    assert (found.status, "schema" in found.fix) == ("failed", True)


def test_a_kms_key_that_refuses_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        async def sign(self, *_: str) -> str:
            raise KeyServiceUnavailable("KMS can't sign", failure="DisabledException")

    monkeypatch.setattr(checks, "signing_keys", lambda *_: Refusing())
    found = checked(tmp_path, None)
    assert (found.status, found.found) == ("failed", "checkpoints can't be signed: DisabledException")
