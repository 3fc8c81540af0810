"""The commands of docs/RECOVERY.md, run in their order with a real PostgreSQL, and the output that the page shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate_cli.main import app
from tests.fixtures.data_keys.memory import KEY
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.docs.entered import ROOT
from tests.fixtures.template.nested import nested

PAGE = (ROOT / "docs" / "RECOVERY.md").read_text(encoding="utf-8")
ISSUER = "https://login.example.com"
COMMANDS = [
    line.partition(" > ")[0].split("tenantgate ", 1)[1]
    for line in re.findall(r"^ *\.venv/bin/tenantgate .*$", PAGE, re.MULTILINE)
]
# Run by tests/functional/backups/, with a server that may be copied.
ELSEWHERE = ("--stream", "--files", "restore-drill")
# The beginnings of lines of the output, as the page shows them.
SHOWN = {
    "backup": "public.tenants:",
    "restore": "all sessions and tokens ended",
    "revoke all": "all sessions and tokens ended: everyone signs in again",
}


@pytest.fixture
def restored(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def test_the_commands_of_the_page(
    database_urls: DatabaseUrls, restored: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", database_urls.owner_url)
    monkeypatch.setenv("DATABASE_URL", database_urls.app_url)
    for name, value in {"ENVIRONMENT": "development", "OIDC_ISSUER_URL": ISSUER, "OIDC_CLIENT_ID": "c"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OIDC_AUDIENCE", "api")
    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", KEY)
    anchors = tmp_path / "anchors"
    anchors.mkdir()
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(anchors))
    for name in ("BACKUP_KEY", "BACKUP_KEY_FILE", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    key = tmp_path / "backup.key"
    places = {"/backups/auth": str(tmp_path / "backups"), "backup.key": str(key), "$NEW_OWNER_URL": restored.owner_url}
    places["ISSUER"] = ISSUER
    ran = set()
    for command in COMMANDS:
        if any(word in command for word in ELSEWHERE):
            continue
        words = [places.get(word, word) for word in shlex.split(command)]
        if words[:2] == ["revoke", "all"]:
            words.append("--yes")
        if words[:1] == ["restore"]:
            monkeypatch.setenv("DATABASE_URL", restored.app_url)
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (command, result.output)
        if words == ["keys", "backup"]:
            key.touch(mode=0o600)
            key.write_text(result.stdout, encoding="utf-8")
        for begin, line in SHOWN.items():
            if command.startswith(begin):
                assert any(shown.startswith(line) for shown in result.output.splitlines()), result.output
                assert line in PAGE
                ran.add(begin)
    assert ran == set(SHOWN)


def test_the_proxy_gets_the_permission_on_the_restored_cluster_that_it_had_on_the_lost_one() -> None:
    """A proxy logs in by IAM, and the permission names the cluster's resource id: a restored cluster has another."""
    [written] = re.findall(r"--policy-document \\\n +'(\{.*\})'$", PAGE, re.MULTILINE)
    [policy] = nested("data").properties("ProxyRole")["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    names = {
        "${AWS::Partition}": "aws",
        "${AWS::Region}": "REGION",
        "${AWS::AccountId}": "ACCOUNT",
        "${Cluster.DBClusterResourceId}": "RESOURCE-ID",
    }
    resource = statement["Resource"]["Fn::Sub"]
    for name, word in names.items():
        resource = resource.replace(name, word)

    assert json.loads(written) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": statement["Action"], "Resource": resource}],
    }


def test_every_other_command_is_run_elsewhere() -> None:
    assert all(any(word in command for command in COMMANDS) for word in ELSEWHERE)
