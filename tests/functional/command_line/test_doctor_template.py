"""`tenantgate doctor --template` with the product's own template, before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantgate_cli.doctor.template.deployment import Deployment, read_parameters
from tenantgate_cli.doctor.template.environments import environment_sizes, settings
from tenantgate_cli.doctor.template.parameters import parameters
from tenantgate_cli.doctor.template.registry import CHECKS
from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT, TEMPLATE

PARAMETERS = """
OidcIssuerUrl: https://id.example.com
OidcClientId: my-client
PublicBaseUrl: https://api.example.com
AllowedOrigins: https://app.example.com
DatabaseUrl: postgresql://app:secret-of-the-app@db.example.com/tenantgate?sslmode=verify-full
DatabaseOwnerUrl: postgresql://owner:secret-of-the-owner@db.example.com/tenantgate?sslmode=verify-full
SecretArn: arn:aws:secretsmanager:eu-central-1:123456789012:secret:tenantgate-AbCdEf
"""


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_the_products_own_template_passes_what_can_be_checked_before_a_build(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(PARAMETERS)

    result = CliRunner().invoke(
        app, ["doctor", "--template", "--template-file", str(TEMPLATE), "--params", str(file), "--json"]
    )

    checks = {check["check"]: check for check in json.loads(result.stdout)["checks"]}
    assert tuple(checks) == tuple(CHECKS)
    for name in ("parameters", "settings", "environments", "route rules"):
        assert checks[name]["status"] == "ok", checks[name]
    for name in ("account", "quotas", "bundle sizes", "bytecode", "architecture"):
        assert checks[name]["status"] == "skipped", checks[name]
        assert checks[name]["found"]
    assert "secret-of" not in result.stdout


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_the_parameters_of_each_stage_need_only_the_issuer_and_the_client_id(stage: str, tmp_path: Path) -> None:
    given = read_parameters(ROOT / "infra" / "params" / f"{stage}.yaml")
    of = Deployment(TEMPLATE, {**given, "OidcIssuerUrl": "https://id.example.com", "OidcClientId": "my-client"})

    assert [check(of).status for check in (parameters, settings, environment_sizes)] == ["ok", "ok", "ok"]
    assert parameters(Deployment(TEMPLATE, given)).found == "OidcIssuerUrl has no value; OidcClientId has no value"


def test_a_template_that_cannot_be_read_has_a_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--template", "--template-file", str(tmp_path / "none.yaml")])

    assert result.exit_code == 1
    assert "can't be read" in result.stderr


def test_the_parameters_need_the_template() -> None:
    assert CliRunner().invoke(app, ["doctor", "--params", "parameters.yaml"]).exit_code == 2
