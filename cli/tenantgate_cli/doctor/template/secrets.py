"""The secrets and the login of the preset `external`: they exist, and the functions will be able to use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tenantgate.aws.failures import failure_name
from tenantgate_cli.doctor.template.account import LOGIN_FIX, aws_client
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning

# Each parameter with a secret, and the one with its key.
_KEYS = {"SecretArn": "SecretKeyArn", "DatabaseOwnerSecretArn": "DatabaseOwnerKeyArn"}
_OWN_KEYS = ("", "alias/aws/secretsmanager")
_MISSING = ("ResourceNotFoundException",)


def owner_login(of: Deployment) -> Finding:
    """Check that the migration runner has a password for the owner: it has no permission for a login by IAM."""
    if of.values.get("Preset", "external") != "external":
        return skipped("the preset makes the owner and its secret")
    if of.values.get("DatabaseOwnerSecretArn"):
        return ok("by the secret in DatabaseOwnerSecretArn")
    try:
        password = urlsplit(of.values.get("DatabaseOwnerUrl", "")).password
    except ValueError:
        password = None
    if not password:
        fix = "set DatabaseOwnerSecretArn to the secret that RDS manages, or write the password into the URL"
        return failed("DatabaseOwnerUrl has no password, and DatabaseOwnerSecretArn is empty", fix)
    return ok("by the password in DatabaseOwnerUrl")


def secrets(of: Deployment) -> Finding:
    """Compare the secrets that exist with the permissions that the template gives. Reads no secret's value."""
    given = {name: arn for name in _KEYS if (arn := of.values.get(name))}
    if of.values.get("Preset", "external") != "external" or not given:
        return skipped("the preset makes the secrets")
    problems: list[str] = []
    unknown: list[str] = []
    try:
        for name, arn in given.items():
            found, refused = _problem(of, name, arn)
            problems += [found] if found else []
            unknown += [f"{name}: {refused}"] if refused else []
    except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
        return of.unavailable(f"Secrets Manager doesn't respond: {failure_name(error)}", LOGIN_FIX)
    if problems:
        return failed("; ".join(problems), "correct the parameters: aws secretsmanager list-secrets")
    if unknown:
        return warning("; ".join(unknown), "allow secretsmanager:DescribeSecret and kms:DescribeKey to your role")
    return ok(f"{' and '.join(given)} exist{'s' if len(given) == 1 else ''}")


def _problem(of: Deployment, name: str, arn: str) -> tuple[str, str]:
    """Return the problem of the secret or its key, and AWS's code if it refuses to describe one of them."""
    from botocore.exceptions import ClientError  # noqa: PLC0415  (slow to import)

    client = aws_client("secretsmanager", of)
    missing = f"{name} names no secret in {client.meta.region_name}"
    try:
        found = client.describe_secret(SecretId=arn)
        return (missing if "DeletedDate" in found else _key_problem(of, name, found)), ""
    except ClientError as error:
        code = failure_name(error)
    return (missing, "") if code in _MISSING else ("", code)


def _key_problem(of: Deployment, name: str, secret: Mapping[str, Any]) -> str:
    used, given = str(secret.get("KmsKeyId") or ""), of.values.get(_KEYS[name], "")
    if used.rpartition(":")[2] in _OWN_KEYS or used == given:
        return ""
    # A key of AWS needs no permission. An alias or an id stands for a key in this region: replicas have the same id.
    key = aws_client("kms", of).describe_key(KeyId=used)["KeyMetadata"]
    if key["KeyManager"] == "AWS" or key["Arn"] == given:
        return ""
    return f"the secret of {name} has the key {key['Arn']}, and {_KEYS[name]} {'another' if given else 'is empty'}"
