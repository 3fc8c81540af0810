"""The client secret of the OpenID provider: read without showing it, and put into Secrets Manager."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from typing import Any

from tenantgate.aws.failures import failure_name
from tenantgate_cli.console import Failure

NAME = "OIDC_CLIENT_SECRET"
_LONGEST = 4096
_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_REMEDY = f"give it: make deploy asks for it at a terminal, or reads the variable {NAME} (- for standard input)"


def given_secret(variables: Mapping[str, str]) -> str:
    """Return the secret in the variable, or the one that a user at a terminal enters; empty: keep the stored one.

    With `-` in the variable, it is the first line of standard input. Never an argument of the command: other users of
    the machine can read those.
    """
    found = variables.get(NAME, "")
    if found == "-":
        found = sys.stdin.readline(_LONGEST + 2)
    elif not found and sys.stdin.isatty():
        found = getpass.getpass("The provider's client secret (empty: keep the one in Secrets Manager): ")
    secret = found.strip()
    if len(secret) > _LONGEST or not secret.isprintable():
        raise Failure("the client secret has characters that no client secret has", _REMEDY)
    return secret


def put_secret(arn: str, secret: str, region: str | None) -> bool:
    """Write the secret if it isn't empty and differs from the stored one. Return True if it was written.

    The other members stay. Raises Failure if Secrets Manager refuses, or if there is no client secret at all.
    """
    try:
        client = _client(region)
        stored = client.get_secret_value(SecretId=arn)
        members = json.loads(stored["SecretString"])
        held = members.get(NAME)
    except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
        # The error's own text may quote the request; its type says enough.
        raise _refused(error) from None
    if not secret:
        if not held:
            raise Failure(f"the secret has no {NAME}, so that no sign-in would work", _REMEDY)
        return False
    if held == secret:
        return False
    try:
        client.put_secret_value(SecretId=arn, SecretString=json.dumps({**members, NAME: secret}))
    except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
        raise _refused(error) from None
    return True


def _refused(error: Exception) -> Failure:
    remedy = "allow secretsmanager:GetSecretValue and PutSecretValue on the stack's secret to your role"
    return Failure(f"the stack's secret can't be read or written: {failure_name(error)}", remedy)


def _client(region: str | None) -> Any:
    import boto3  # noqa: PLC0415  (slow to import)
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    return boto3.client("secretsmanager", region_name=region, config=limits)
