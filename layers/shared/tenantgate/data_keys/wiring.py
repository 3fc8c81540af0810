"""The data keys of this process."""

from __future__ import annotations

import asyncio
from functools import cache
from weakref import WeakKeyDictionary

from tenantgate.aws.kms import kms_client
from tenantgate.data_keys.kms_keys import KmsKeys
from tenantgate.data_keys.local_keys import LocalKeys
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.data_keys.wrapping import KeyEncryption
from tenantgate.database.unit import Database
from tenantgate.database.wiring import database
from tenantgate.secrets.store import SecretStore
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings

# One per event loop (a process has one): its calls are tasks of that loop. With its database: keys must not outlive it.
_made: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Database, DataKeys]] = WeakKeyDictionary()


def data_keys() -> DataKeys:
    """Return the running event loop's data keys, created at the first call. It makes no connection."""
    loop, store = asyncio.get_running_loop(), database()
    known = _made.get(loop)
    if known is None or known[0] is not store:
        known = _made[loop] = store, DataKeys(DataKeyRepository(store), _key_encryption())
    return known[1]


def key_encryption(settings: Settings, secrets: SecretStore) -> KeyEncryption:
    """Build the key-encryption keys of a deployment. It makes no connection."""
    arns = settings.key_encryption_kms_keys
    return KeyEncryption(LocalKeys(secrets.key_encryption), KmsKeys(arns, kms_client) if arns else None)


@cache
def _key_encryption() -> KeyEncryption:
    return key_encryption(get_settings(), secret_store())
