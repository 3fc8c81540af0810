"""`make deploy` with moto's AWS, a recorded SAM instead of CloudFormation, and a scripted API as the deployed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenantgate_cli.build.uv import find_uv
from tenantgate_cli.commands import deploy
from tenantgate_cli.deploy import checkout, release
from tenantgate_cli.doctor.template import account
from tenantgate_cli.paths import ROOT
from tests.fixtures.deploy.recorded_sam import PROGRAM
from tests.fixtures.programs.requires import requires_git
from tests.fixtures.servers.scripted_api import TOKEN, Reply, ScriptedApi, scripted_api

pytestmark = requires_git

REGION = "eu-central-1"
CLIENT_SECRET = "the-secret-of-the-client"
KEYS = "sealing-keys-that-stay"
PARAMETERS = """
Preset: small
Environment: production
OidcIssuerUrl: https://id.invalid
"""


class Quotas:
    """Lambda's quotas, which moto doesn't have."""

    @staticmethod
    def get_account_settings() -> dict[str, Any]:
        limits = {"ConcurrentExecutions": 1000, "TotalCodeSize": 75 * 10**9}
        return {"AccountLimit": limits, "AccountUsage": {"TotalCodeSize": 0}}


class Stage:
    """A deployment to run: its checkout, its AWS account and its deployed API."""

    def __init__(self, folder: Path, api: ScriptedApi, secret: str) -> None:
        self.folder = folder
        self.api = api
        self.secret = secret
        self.params = folder / "parameters.yaml"
        self.params.write_text(PARAMETERS)

    def run(self, *options: str) -> int:
        sys.argv = ["deploy", "dev", "--params", str(self.params), "--build-dir", str(self.folder / "build"), *options]
        return deploy.main()

    @property
    def calls(self) -> list[dict[str, Any]]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []

    @property
    def steps(self) -> list[str]:
        return [call["arguments"][0] for call in self.calls]

    def stored(self) -> dict[str, str]:
        client = boto3.client("secretsmanager", REGION)
        members: dict[str, str] = json.loads(client.get_secret_value(SecretId=self.secret)["SecretString"])
        return members


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    repository = tmp_path / "checkout"
    repository.mkdir()
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "a"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    monkeypatch.setattr(checkout, "ROOT", repository)
    monkeypatch.setattr(sys, "argv", sys.argv)
    usual = account.aws_client
    monkeypatch.setattr(account, "aws_client", lambda name, of: Quotas() if name == "lambda" else usual(name, of))
    for name, value in {
        "UV": str(program),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli"), str(ROOT / "layers" / "shared")]),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "OIDC_CLIENT_ID": "my-client",
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "TENANTGATE_TOKEN": TOKEN,
        "RECORDED_CALLS": str(tmp_path / "calls"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OIDC_ISSUER_URL", raising=False)
    find_uv.cache_clear()
    with mock_aws(), scripted_api() as api:
        text = json.dumps({"OIDC_CLIENT_SECRET": "", "COOKIE_SEALING_KEYS": KEYS})
        arn = boto3.client("secretsmanager", REGION).create_secret(Name="app", SecretString=text)["ARN"]
        outputs = [{"OutputKey": "ApiUrl", "OutputValue": api.url}, {"OutputKey": "SecretArn", "OutputValue": arn}]
        monkeypatch.setenv("RECORDED_OUTPUTS", json.dumps(outputs))
        yield Stage(tmp_path, api, arn)
    find_uv.cache_clear()


def test_a_deployment_takes_every_step_and_ends_with_the_smoke_test(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    status = stage.run()

    printed = capsys.readouterr()
    assert status == 0, printed
    assert stage.steps == ["build", "deploy", "list"]
    sent = stage.calls[1]
    given = sent["parameters"]
    assert given["OidcIssuerUrl"] == "https://id.invalid"
    assert given["OidcClientId"] == "my-client"
    assert len(given["ReleaseId"]) == 64
    assert (sent["folder_mode"], sent["template_is_built"]) == (0o700, True)
    assert sent["arguments"][1:5] == ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "dev"]
    assert sent["arguments"][-2:] == ["--region", REGION]
    assert stage.stored() == {"OIDC_CLIENT_SECRET": CLIENT_SECRET, "COOKIE_SEALING_KEYS": KEYS}
    assert ("GET /api/v1/auth/me", f"Bearer {TOKEN}") in stage.api.requests


def test_a_name_that_the_database_cannot_take_stops_before_the_deployment(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = stage.folder / "samconfig.toml"
    config.write_text(release.SAM_CONFIG.read_text().replace('"tenantgate-dev"', f'"tenantgate-{"dev" * 10}"'))
    monkeypatch.setattr(release, "SAM_CONFIG", config)

    assert stage.run() == 1
    assert "at most 31" in capsys.readouterr().out
    assert stage.steps == ["build"]


def test_only_secrets_manager_gets_the_client_secret(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.run()

    calls = (stage.folder / "calls").read_text()
    shown = capsys.readouterr()
    assert CLIENT_SECRET not in calls + shown.out + shown.err
    assert all("OIDC_CLIENT_SECRET" not in call["variables"] for call in stage.calls)
    assert all("TENANTGATE_TOKEN" not in call["variables"] for call in stage.calls)


def test_a_dry_run_only_prints_the_steps(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage.run("--dry-run") == 0

    shown = capsys.readouterr().out
    assert [line for line in ("make build", "doctor --template", "sam deploy", "smoke") if line not in shown] == []
    assert "https://id.invalid" not in shown
    assert (stage.calls, stage.api.requests) == ([], [])
    assert stage.stored()["OIDC_CLIENT_SECRET"] == ""


def test_uncommitted_changes_stop_it(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    (stage.folder / "checkout" / "changed.py").write_text("")

    assert stage.run() == 1
    assert "changed.py" in capsys.readouterr().err
    assert stage.calls == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PARAMETERS.replace("https:", "http:"), "OidcIssuerUrl must be"),
        (f"{PARAMETERS}DatabaseUrl: postgresql://x/y\n", "ignore DatabaseUrl"),
    ],
)
def test_a_check_that_fails_stops_it_before_anything_is_deployed(
    text: str, words: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.params.write_text(text)

    assert stage.run() == 1
    assert words in capsys.readouterr().out
    assert stage.steps == ["build"]


def test_bundles_for_another_architecture_stop_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORDED_MACHINE", "62")

    assert stage.run() == 1
    assert stage.steps == ["build"]


def test_a_rolled_back_stack_gets_no_secret_and_no_test(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORDED_FAILURE", "deploy")

    assert stage.run() == 1
    assert stage.steps == ["build", "deploy"]
    assert stage.stored()["OIDC_CLIENT_SECRET"] == ""
    assert stage.api.requests == []


def test_a_deployed_api_that_fails_its_test_fails_the_deployment(stage: Stage) -> None:
    stage.api.changes["GET /api/v1/auth/me"] = Reply(200, {"user_id": "u", "tenant_id": "t"})

    assert stage.run() == 1


def test_without_a_client_secret_anywhere_the_deployment_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OIDC_CLIENT_SECRET")

    assert stage.run() == 1
    assert "no OIDC_CLIENT_SECRET" in capsys.readouterr().err
    assert stage.api.requests == []


def test_the_stored_client_secret_is_kept_if_none_is_given(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.run()
    monkeypatch.delenv("OIDC_CLIENT_SECRET")
    versions = boto3.client("secretsmanager", REGION).list_secret_version_ids(SecretId=stage.secret)["Versions"]

    assert stage.run() == 0
    assert stage.stored()["OIDC_CLIENT_SECRET"] == CLIENT_SECRET
    again = boto3.client("secretsmanager", REGION).list_secret_version_ids(SecretId=stage.secret)["Versions"]
    assert len(again) == len(versions)
