"""The key-encryption keys, which wrap the data keys of stored data."""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

from tenantgate.aws.kms import kms_client
from tenantgate.crypto.envelopes import KEY_BYTES
from tenantgate.crypto.errors import EnvelopeBroken, KeyServiceUnavailable
from tenantgate.data_keys.kms_keys import KmsKeys
from tenantgate.data_keys.local_keys import LocalKeys
from tenantgate.data_keys.models import KeyContext, KeyWrapper
from tenantgate.secrets.errors import SecretMissing, SecretsUnavailable
from tenantgate.sessions.storing.tokens import PURPOSE
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, warning

# No tenant has this id: the context of a real data key is never used.
_TENANT = ":doctor"


def data_keys(of: Configuration) -> Finding:
    """Wrap a random key with each key-encryption key, and unwrap it, as the functions do."""
    arns = of.settings.key_encryption_kms_keys
    if not arns:
        return asyncio.run(_local(of))
    for arn in arns:
        try:
            wraps = asyncio.run(_wraps(KmsKeys([arn], kms_client)))
        except (KeyServiceUnavailable, EnvelopeBroken) as error:
            return failed(
                f"{arn} can't be used: {error.private.get('failure', error)}",
                "enable the key, and allow kms:Encrypt and kms:Decrypt to this role, as the functions' roles have them",
            )
        if not wraps:
            return failed(f"{arn} unwraps another key than it wrapped", "check the endpoint of AWS KMS")
    return ok(f"AWS KMS: {len(arns)} key(s) wrap and unwrap data keys")


async def _local(of: Configuration) -> Finding:
    store = of.secret_store()
    place = "Secrets Manager" if of.settings.aws_secrets_manager_secret_id else "the environment"
    fix = "`tenantgate keys new` prints a key (docs/OPERATIONS.md, Keys of stored data)"
    try:
        number = len((await store.key_encryption()).key_ids)
        if not await _wraps(LocalKeys(store.key_encryption)):
            return failed("KEY_ENCRYPTION_KEYS unwraps another key than it wrapped", fix)
    except SecretMissing:
        return warning(
            "no key-encryption key: COOKIE_SEALING_KEYS encrypts the tokens of sessions, and audit events name no user",
            f"set KEY_ENCRYPTION_KEYS or KEY_ENCRYPTION_KMS_KEYS; {fix}",
        )
    except SecretsUnavailable as error:
        return failed(f"{place}: {error.reason}", f"{fix}; keep the keys that were used before")
    return ok(f"{place}: {number} key(s) wrap and unwrap data keys")


async def _wraps(wrapper: KeyWrapper | KmsKeys) -> bool:
    key, context = os.urandom(KEY_BYTES), KeyContext(_TENANT, PURPOSE, str(uuid4()))
    return await wrapper.unwrap(await wrapper.wrap(key, context), context) == key
