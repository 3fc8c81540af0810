"""`tenantgate data-keys` with a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.data_keys.local_keys import LocalKeys
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.pool import PooledDatabase
from tenantgate_cli.main import app
from tests.fixtures.data_keys.memory import KEY, NEW_KEY, local_keys
from tests.fixtures.databases.postgres import DatabaseUrls, execute

OWNER = KeyOwner("org-1", "audit", "a person")


async def encrypted(url: str, keys: LocalKeys, envelope: str | None = None) -> str:
    """Encrypt a text as a process does, or open an envelope and return its text."""
    database = PooledDatabase(url)
    try:
        data_keys = DataKeys(DataKeyRepository(database), keys)
        if envelope is not None:
            return (await data_keys.decrypt(OWNER, envelope, place=())).decode()
        return (await data_keys.current(OWNER)).encrypt(b"secret", place=())
    finally:
        await database.dispose()


def run(urls: DatabaseUrls, *words: str) -> Result:
    return CliRunner().invoke(app, ["data-keys", *words, "--database-url", urls.app_url])


def test_keys_are_listed_rotated_and_rewrapped(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    url = database_urls.app_url
    execute(database_urls.admin_url, "INSERT INTO tenants (tenant_id) VALUES ('org-1')")
    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", KEY)
    assert "there are no data keys yet" in run(database_urls, "list").stdout
    envelope = asyncio.run(encrypted(url, local_keys(KEY)))
    assert run(database_urls, "rotate").stdout == "1 keys rotated, in 1 tenants\n"
    heading, row = run(database_urls, "list").stdout.splitlines()
    assert heading.startswith("tenant  purpose  key-encryption key")
    assert row.split()[:2] + row.split()[3:7] == ["org-1", "audit", "1", "1", "1", "0"]

    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", f"{NEW_KEY},{KEY}")
    done = json.loads(run(database_urls, "rewrap", "--json").stdout)
    assert done == {"ok": True, "tenants": 1, "keys": 2, "skipped": 0, "problems": []}
    assert asyncio.run(encrypted(url, local_keys(NEW_KEY), envelope)) == "secret"
    (group,) = json.loads(run(database_urls, "list", "--json").stdout)["data_keys"]
    assert (group["current"], group["retired"], group["subjects"]) == (1, 1, 1)

    changes = "SELECT resource_id, detail->>'change' AS change FROM audit_events WHERE event_type = 'DATA_MODIFIED'"
    (recorded,) = execute(database_urls.admin_url, f"{changes} ORDER BY created_at, id")
    assert [change for _, change in recorded] == ["rotated", "rewrapped", "rewrapped"]
    # The rotated key is wrapped again, too: its old envelopes need it.
    assert recorded[0][0] in [key_id for key_id, _ in recorded[1:]]

    # The old data keys are wrapped with a key that isn't there.
    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", KEY)
    failed = run(database_urls, "rewrap", "--all", "--json")
    assert (failed.exit_code, json.loads(failed.stdout)["ok"]) == (1, False)
    assert len(execute(database_urls.admin_url, changes)[0]) == 3


def test_a_key_encryption_key_that_is_missing_is_one_failure(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEY_ENCRYPTION_KEYS", raising=False)
    failed = run(database_urls, "rewrap")
    assert failed.exit_code == 1
    assert "Traceback" not in failed.output
