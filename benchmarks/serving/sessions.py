"""Sessions that exist before the load begins, each of another user."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import NamedTuple

from benchmarks.serving.provider import SCOPE, Provider
from tenantgate.crypto.sealing import Sealer
from tenantgate.data_keys.local_keys import LocalKeys
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.pool import PooledDatabase
from tenantgate.identity.principal import Principal
from tenantgate.revocation.repository import record_in
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import SessionPolicy, SignIn
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate_cli.stack.servers.postgres import PostgresAddresses

TENANTS = [f"org-{uuid.UUID(int=number + 1)}" for number in range(20)]


class Started(NamedTuple):
    """The secret of a session's cookie, and its access token."""

    secret: str
    access_token: str


async def start_sessions(addresses: PostgresAddresses, provider: Provider, key: str, count: int) -> list[Started]:
    """Start sessions in PostgreSQL, as sign-ins do. `key` seals, and wraps the data keys."""
    database, sealer = PooledDatabase(addresses.app_url), Sealer([key])

    async def current() -> Sealer:
        return sealer

    keys = DataKeys(DataKeyRepository(database), LocalKeys(current))
    store = SessionRepository(database, Endings(record_in, SessionPolicy()), keys)
    service = SessionService(store, current, keys=keys)
    all_started: list[Started] = []
    numbers = iter(range(count))

    async def start() -> None:
        for number in numbers:
            tenant_id, user_id = tenant_of(number), f"user-{number}"
            scopes = frozenset(SCOPE.split())
            principal = Principal(user_id, tenant_id, provider.issuer, scopes, int(time.time()) + 3600, "bearer", {})
            tokens = provider.sign(number, tenant_id)
            started = await service.start(
                principal=principal,
                tokens=tokens,
                sign_in=SignIn(provider.issuer, user_id, sid=str(number)),
            )
            all_started.append(Started(started.secret, tokens.access_token))

    await asyncio.gather(*(start() for _ in range(8)))
    await database.dispose()
    return all_started


def tenant_of(number: int) -> str:
    """Return the tenant of the user with this number."""
    return TENANTS[number % len(TENANTS)]
