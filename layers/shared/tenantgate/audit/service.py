"""The events of refused requests, which have no unit of work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Protocol

from tenantgate import time_limits
from tenantgate.audit.line import admitted, mark
from tenantgate.audit.models import Event, StoredEvent, log_owner
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.errors.base import TenantgateError
from tenantgate.secrets.errors import SecretMissing, SecretsUnavailable

_log = logging.getLogger(__name__)

# Appends an event. Never raises: the caller reports its own error.
type Append = Callable[[Event], Awaitable[None]]


class EventStore(Protocol):
    """A store of events."""

    async def add(self, event: StoredEvent) -> None:
        """Add an event in its own transaction. Raises `DatabaseUnreachable`."""
        ...


class Keys(Protocol):
    """The part of `data_keys.service.DataKeys` that the log uses."""

    async def current(self, owner: KeyOwner) -> DataKey:
        """Return the owner's key, and make the first one.

        Raises `KeyServiceUnavailable`, `DatabaseUnreachable`, and `SecretMissing` without a key-encryption key.
        """
        ...


async def key_for(keys: Keys, owner: KeyOwner) -> DataKey | None:
    """Return the owner's key; None in a deployment without a key-encryption key, whose events name no person.

    Raises `KeyServiceUnavailable`, `DatabaseUnreachable`, and `SecretsUnavailable` if its value is unusable.
    """
    try:
        return await keys.current(owner)
    except SecretMissing:
        _warn()
        return None


@cache
def _warn() -> None:
    _log.warning("audit events name no person: set KEY_ENCRYPTION_KEYS or KEY_ENCRYPTION_KMS_KEYS")


class AuditLog:
    """Appends the events of refused requests to the deployment's own log."""

    def __init__(self, store: EventStore, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def append(self, event: Event) -> None:
        """Store an event; if the database can't in time, write it as a marked log line. Never raises.

        Anyone can send what is refused, and a row stays for years: too many are counted instead (`line_limits.py`).
        Without a key in time, it is stored without its address. The caller has waited for its own failure already.
        """
        if not admitted(event.type, event.tenant_id):
            return
        try:
            stored = event.stored(await self._key(event))
            async with asyncio.timeout(time_limits.AUDIT_EVENT):
                await self._store.add(stored)
        except (TenantgateError, TimeoutError):
            await mark(event)

    async def _key(self, event: Event) -> DataKey | None:
        if event.address is None:
            return None
        try:
            async with asyncio.timeout(time_limits.AUDIT_KEY):
                return await key_for(self._keys, log_owner(event.tenant_id))
        except (KeyServiceUnavailable, SecretsUnavailable, TimeoutError):
            return None
