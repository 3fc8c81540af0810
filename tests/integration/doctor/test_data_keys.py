"""The key-encryption keys: usable, missing, too short, disabled, or away; KMS is moto's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tenantgate.aws.kms import kms_client
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate_cli.doctor import data_keys as checks
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.doctor.data_keys import data_keys
from tenantgate_cli.outcomes import Finding

REGION = "eu-central-1"
VARIABLES = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://api.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "OIDC_ISSUER_URL": "https://id.example.com",
    "OIDC_CLIENT_ID": "client",
    "AWS_REGION": REGION,
}


def checked(secrets: dict[str, str] | None = None, **changes: str) -> Finding:
    return data_keys(Configuration("the environment", {**VARIABLES, **changes}, secrets or {}))


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    kms_client.cache_clear()
    with mock_aws():
        yield boto3.client("kms", region_name=REGION)
    kms_client.cache_clear()


def test_local_keys_are_tried() -> None:
    found = checked({"KEY_ENCRYPTION_KEYS": f"{new_sealing_key()},{new_sealing_key()}"})
    assert (found.status, found.found) == ("ok", "the environment: 2 key(s) wrap and unwrap data keys")


def test_no_key_is_a_warning_that_tells_what_it_costs() -> None:
    found = checked({"COOKIE_SEALING_KEYS": new_sealing_key()})
    assert found.status == "warning"
    assert "audit events name no user" in found.found
    assert "KEY_ENCRYPTION_KMS_KEYS" in found.fix


@pytest.mark.parametrize("key", ["c2hvcnQ", "A" * 43, "not base64url!", "c2hvcnQ,x"])
def test_a_key_of_another_form_fails_without_being_shown(key: str) -> None:
    found = checked({"KEY_ENCRYPTION_KEYS": key})
    assert found.status == "failed"
    assert "KEY_ENCRYPTION_KEYS" in found.found
    assert key not in json.dumps(found.found + found.fix)


def test_each_key_in_kms_is_tried(kms: Any) -> None:
    new, old = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    found = checked(KEY_ENCRYPTION_KMS_KEYS=f"{new},{old}")
    assert (found.status, found.found) == ("ok", "AWS KMS: 2 key(s) wrap and unwrap data keys")


def test_a_key_in_kms_that_is_refused_fails(kms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    encrypt = kms.encrypt

    def refusing(*, KeyId: str, **values: Any) -> Any:  # noqa: N803  (boto3's spelling)
        # Simulated: moto lets a disabled key encrypt.
        if KeyId == old:
            raise ClientError({"Error": {"Code": "DisabledException", "Message": "canary"}}, "Encrypt")
        return encrypt(KeyId=KeyId, **values)

    monkeypatch.setattr(kms, "encrypt", refusing)
    monkeypatch.setattr(checks, "kms_client", lambda _: kms)
    found = checked(KEY_ENCRYPTION_KMS_KEYS=f"{new},{old}")
    assert (found.status, old in found.found, "DisabledException" in found.found) == ("failed", True, True)
    assert "canary" not in found.found


def test_a_key_in_kms_that_does_not_exist_fails(kms: Any) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"].rpartition("/")[0] + "/00000000-0000-0000-0000-000000000000"
    found = checked(KEY_ENCRYPTION_KMS_KEYS=arn)
    assert (found.status, "NotFound" in found.found) == ("failed", True)
