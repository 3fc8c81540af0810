"""The secrets in Secrets Manager, and the KMS key that encrypts them, with moto's services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenantgate.aws.secrets_manager import secrets_client
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.doctor.secrets import kms, secrets
from tenantgate_cli.outcomes import Check, run_all

REGION = "eu-central-1"
VARIABLES = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://api.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "OIDC_ISSUER_URL": "https://id.example.com",
    "OIDC_CLIENT_ID": "client",
    "AWS_REGION": REGION,
    "AWS_SECRETS_MANAGER_SECRET_ID": "tenantgate",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        secrets_client.cache_clear()
        yield
    secrets_client.cache_clear()


def put(members: dict[str, str], **more: Any) -> None:
    boto3.client("secretsmanager", REGION).create_secret(Name="tenantgate", SecretString=json.dumps(members), **more)


def of(**changes: str) -> Configuration:
    return Configuration("the environment", {**VARIABLES, **changes}, {})


def test_the_secret_is_read_and_its_keys_seal(aws: None) -> None:
    put({"OIDC_CLIENT_SECRET": "the-secret", "COOKIE_SEALING_KEYS": f"{new_sealing_key()},{new_sealing_key()}"})

    (outcome,) = run_all([Check("secrets", partial(secrets, of()))])

    assert outcome.finding.status == "ok"
    assert outcome.finding.found == "Secrets Manager: the client secret and 2 sealing key(s)"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"COOKIE_SEALING_KEYS": new_sealing_key()}, "OIDC_CLIENT_SECRET"),
        ({"OIDC_CLIENT_SECRET": "the-secret", "COOKIE_SEALING_KEYS": "A" * 43}, "random"),
        ({}, "no value for"),
    ],
    ids=["missing", "guessable", "empty"],
)
def test_a_secret_that_cannot_be_used_fails_without_being_shown(members: dict[str, str], words: str, aws: None) -> None:
    put(members)

    finding = secrets(of())

    assert (finding.status, words in finding.found) == ("failed", True)
    assert not any(value in finding.found + finding.fix for value in members.values())


def test_a_secret_that_does_not_exist_fails(aws: None) -> None:
    assert secrets(of()).status == "failed"
    assert kms(of()).status == "warning"


def test_the_secrets_own_key_must_be_enabled(aws: None) -> None:
    keys = boto3.client("kms", REGION)
    key = keys.create_key()["KeyMetadata"]["KeyId"]
    put({}, KmsKeyId=key)

    enabled = kms(of())
    keys.disable_key(KeyId=key)
    disabled = kms(of())

    assert (enabled.status, disabled.status) == ("ok", "failed")


def test_the_accounts_default_key_needs_no_check(aws: None) -> None:
    put({})

    assert kms(of()).status == "ok"


def test_secrets_in_the_environment_of_a_deployment_are_a_warning() -> None:
    given = {"OIDC_CLIENT_SECRET": "the-secret", "COOKIE_SEALING_KEYS": new_sealing_key()}
    deployed = Configuration("the environment", {**VARIABLES, "AWS_SECRETS_MANAGER_SECRET_ID": ""}, given)

    assert secrets(deployed).status == "warning"
    assert kms(deployed).status == "skipped"
