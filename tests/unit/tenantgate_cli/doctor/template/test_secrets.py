"""The secrets of the preset `external`, with moto's Secrets Manager and KMS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tenantgate_cli.doctor.template import account
from tenantgate_cli.doctor.template import secrets as module
from tenantgate_cli.doctor.template.secrets import owner_login, secrets
from tests.fixtures.doctor.template import deployment

REGION = "eu-central-1"
WITHOUT_A_PASSWORD = "postgresql://owner@db.example.com/tenantgate?sslmode=verify-full"


def new_key() -> str:
    return str(boto3.client("kms", REGION).create_key()["KeyMetadata"]["Arn"])


def new_secret(name: str, **given: str) -> str:
    made = boto3.client("secretsmanager", REGION).create_secret(Name=name, SecretString="value-of-it", **given)
    return str(made["ARN"])


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"DatabaseOwnerUrl": "postgresql://owner:of-the-owner@db.example.com/tenantgate"}, "ok"),
        ({"DatabaseOwnerUrl": WITHOUT_A_PASSWORD}, "failed"),
        ({"DatabaseOwnerUrl": "postgresql://owner:@db.example.com/tenantgate"}, "failed"),
        ({"DatabaseOwnerUrl": "postgresql://[owner"}, "failed"),
        ({"DatabaseOwnerUrl": WITHOUT_A_PASSWORD, "DatabaseOwnerSecretArn": "arn:s"}, "ok"),
        ({"Preset": "small"}, "skipped"),
    ],
)
def test_the_owner_logs_in_by_a_password_or_a_secret(given: dict[str, Any], status: str, tmp_path: Path) -> None:
    finding = owner_login(deployment(tmp_path, **given))

    assert finding.status == status
    assert "of-the-owner" not in finding.found + finding.fix


def test_secrets_of_the_services_own_key_and_of_a_given_key_are_usable(aws: None, tmp_path: Path) -> None:
    key = new_key()
    given: dict[str, Any] = {
        "SecretArn": new_secret("tenantgate"),
        "DatabaseOwnerSecretArn": new_secret("rds!cluster-a", KmsKeyId=key),
        "DatabaseOwnerKeyArn": key,
    }

    finding = secrets(deployment(tmp_path, **given))

    assert (finding.status, finding.found) == ("ok", "SecretArn and DatabaseOwnerSecretArn exist")


@pytest.mark.parametrize("of", ["arn", "id"])
@pytest.mark.parametrize(
    ("secret", "key"), [("SecretArn", "SecretKeyArn"), ("DatabaseOwnerSecretArn", "DatabaseOwnerKeyArn")]
)
def test_a_key_that_the_functions_may_not_use_is_found(
    aws: None, secret: str, key: str, of: str, tmp_path: Path
) -> None:
    used = new_key()
    own: dict[str, Any] = {"SecretArn": new_secret("tenantgate")}
    own[secret] = new_secret("with-a-key", KmsKeyId=used if of == "arn" else used.rpartition("/")[2])

    without = secrets(deployment(tmp_path, **own))
    other = secrets(deployment(tmp_path, **{**own, key: new_key()}))
    replica = secrets(deployment(tmp_path, **{**own, key: used.replace(REGION, "eu-west-1")}))
    right = secrets(deployment(tmp_path, **{**own, key: used}))

    found = f"the secret of {secret} has the key {used}, and {key}"
    assert (without.status, without.found) == ("failed", f"{found} is empty")
    for finding in (other, replica):
        assert (finding.status, finding.found) == ("failed", f"{found} another")
    assert right.status == "ok"


def test_an_alias_is_compared_as_the_key_that_it_names(aws: None, tmp_path: Path) -> None:
    used = new_key()
    boto3.client("kms", REGION).create_alias(AliasName="alias/mine", TargetKeyId=used)
    secret = new_secret("with-an-alias", KmsKeyId="alias/mine")

    assert secrets(deployment(tmp_path, SecretArn=secret)).status == "failed"
    assert secrets(deployment(tmp_path, SecretArn=secret, SecretKeyArn=used)).status == "ok"


def test_a_secret_that_does_not_exist_or_is_being_deleted_is_found(aws: None, tmp_path: Path) -> None:
    missing = secrets(deployment(tmp_path))
    secret = new_secret("deleted")
    boto3.client("secretsmanager", REGION).delete_secret(SecretId=secret)
    deleted = secrets(deployment(tmp_path, SecretArn=secret))

    for finding in (missing, deleted):
        assert (finding.status, finding.found) == ("failed", f"SecretArn names no secret in {REGION}")


@pytest.mark.parametrize(
    ("service", "operation"), [("secretsmanager", "describe_secret"), ("kms", "describe_key")], ids=["secret", "key"]
)
def test_a_role_that_may_not_look_is_a_warning_and_no_failure_of_the_deployment(
    aws: None, service: str, operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = new_secret("with-a-key", KmsKeyId=new_key())
    rejecting = Stubber(boto3.client(service, REGION))
    rejecting.add_client_error(operation, "AccessDeniedException")
    rejecting.activate()
    usual = account.aws_client
    monkeypatch.setattr(module, "aws_client", lambda name, of: rejecting.client if name == service else usual(name, of))

    finding = secrets(deployment(tmp_path, is_required=True, SecretArn=secret))

    assert (finding.status, finding.found) == ("warning", "SecretArn: AccessDeniedException")


def test_the_other_presets_have_no_secrets_to_check(tmp_path: Path) -> None:
    assert secrets(deployment(tmp_path, Preset="small")).status == "skipped"


def test_without_credentials_the_secrets_are_skipped_and_a_deployment_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert secrets(deployment(tmp_path)).status == "skipped"
    assert secrets(deployment(tmp_path, is_required=True)).status == "failed"
