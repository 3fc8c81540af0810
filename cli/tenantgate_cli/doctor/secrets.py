"""The secrets, and the key of AWS KMS that encrypts them."""

from __future__ import annotations

import asyncio
from typing import Any

from tenantgate.aws.failures import failure_name
from tenantgate.crypto.sealing import SealBroken
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning

_PURPOSE = "doctor"
# The limits of one call. boto3's own would be a minute.
_CONNECT_SECONDS, _READ_SECONDS = 2, 4


def secrets(of: Configuration) -> Finding:
    """Read the secrets as the functions do, and seal and open a value with the newest key."""
    store = of.secret_store()
    name = of.settings.aws_secrets_manager_secret_id
    place = "Secrets Manager" if name else "the environment"
    health = asyncio.run(store.check())
    if health.status == "unavailable":
        fix = (
            "check that this role may read the secret (secretsmanager:GetSecretValue), and that it has each member"
            if name
            else "set OIDC_CLIENT_SECRET and COOKIE_SEALING_KEYS, or AWS_SECRETS_MANAGER_SECRET_ID"
        )
        return failed(f"{place}: {health.reason}", fix)
    try:
        sealer = store.sealer_now()
        sealer.open(sealer.seal(b"value", purpose=_PURPOSE), purpose=_PURPOSE)
    except (SecretsUnavailable, SealBroken) as error:
        return failed(f"COOKIE_SEALING_KEYS: {error}", "docs/OPERATIONS.md, Rotate the sealing keys, shows new ones")
    if health.status == "stale":
        return warning(
            f"{place} can't be read ({health.reason}); the environment's are used", "check this role's rights"
        )
    number = len([key for key in store.get_now("COOKIE_SEALING_KEYS").split(",") if key.strip()])
    found = f"{place}: the client secret and {number} sealing key(s)"
    if not name and of.settings.environment in ("staging", "production"):
        return warning(f"{found}, which readers of the process's variables see", "set AWS_SECRETS_MANAGER_SECRET_ID")
    return ok(found)


def kms(of: Configuration) -> Finding:
    """Check that the secret's own KMS key, if it has one, is enabled."""
    name = of.settings.aws_secrets_manager_secret_id
    if name is None:
        return skipped("no secret in Secrets Manager")
    try:
        key = _client("secretsmanager", of).describe_secret(SecretId=name).get("KmsKeyId")
        if not key:
            return ok("the secret is encrypted with the account's default key (aws/secretsmanager)")
        state = _client("kms", of).describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
        fix = "allow secretsmanager:DescribeSecret and kms:DescribeKey to this role; the functions don't need them"
        return warning(f"the key can't be described: {failure_name(error)}", fix)
    if state != "Enabled":
        return failed(f"the secret's key is {state}", "enable the key (aws kms enable-key), or cancel its deletion")
    return ok("the secret's own key is enabled")


def _client(service: str, of: Configuration) -> Any:
    import boto3  # noqa: PLC0415  (slow to import, and only needed with AWS)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=of.settings.aws_region, config=limits)
