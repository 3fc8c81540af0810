"""Fill a development database with tenants, users and sessions, for measurements and for looking at a full system.

The rows are those that sign-ins and refreshes would have made, a few hundred per transaction, through the product's own
units of work: a tenant's rows can only be written inside the tenant. The tenants differ in size: a few have many
sessions. A session's secret is random and is forgotten, except those that the caller asks for.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from tenantgate.crypto.sealing import Sealer
from tenantgate.database.unit import Database
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.sessions.models import SessionPolicy, SessionTokens, SignIn
from tenantgate.sessions.service import LOOKUP_PURPOSE
from tenantgate.sessions.storing.tokens import TokenWriter

_RANDOM = random.SystemRandom()
BATCH = 500
# Transactions at a time.
_WRITERS = 4
# Sessions were used within this time, so that they are live for a while.
_USED_SECONDS = 300
_DEVICES = ("Firefox on Linux", "Chrome on Windows", "Safari on macOS", "Safari on iPhone", "Chrome on Android")
_SCOPES = ["email", "offline_access", "openid", "orders:read", "profile"]
_ROLES = ["clerk"]

_ADD_TENANTS = (
    "INSERT INTO tenants (tenant_id, name) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"
)
_ADD_SESSIONS = """
INSERT INTO sessions (
    tenant_id, id, user_id, issuer, secret_hash, sealed_tokens, created_at, auth_time, last_used_at, expires_at,
    csrf_token, version, device, address, scopes, roles, amr
)
SELECT $1, id, user_id, $2, secret_hash, sealed_tokens, auth_time, auth_time, last_used_at,
    auth_time + make_interval(secs => $3), csrf_token, version, device, address, $4, $5, '{pwd}'
FROM unnest(
    $6::uuid[], $7::text[], $8::bytea[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bytea[], $13::int[],
    $14::text[], $15::text[]
) AS s (id, user_id, secret_hash, sealed_tokens, auth_time, last_used_at, csrf_token, version, device, address)
"""
_ADD_EARLIER_SECRETS = """
INSERT INTO session_secrets (tenant_id, session_id, secret_hash) SELECT $1, * FROM unnest($2::uuid[], $3::bytea[])
"""
_ADD_LOOKUPS = """
INSERT INTO session_lookup (tenant_id, session_id, lookup_hash) SELECT $1, * FROM unnest($2::uuid[], $3::bytea[])
"""


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of rows to add."""

    users: int
    tenants: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Seeded:
    """`secrets`: those of some of the sessions, from all over the tenants."""

    size: Size
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seed:
    """The deployment in which the sessions would have begun. `tenant_id` makes the id of a new tenant."""

    database: Database
    sealer: Sealer
    policy: SessionPolicy
    issuer: str
    tenant_id: Callable[[], str]

    async def plant(self, size: Size, *, keep: int = 0, on_progress: Callable[[int], None] = lambda _: None) -> Seeded:
        """Add the rows and return the secrets of about `keep` sessions. `on_progress` gets numbers of new sessions."""
        tenants = [self.tenant_id() for _ in range(size.tenants)]
        for at in range(0, len(tenants), BATCH):
            page = tenants[at : at + BATCH]
            async with self.database.untenanted() as unit:
                await unit.execute(_ADD_TENANTS, page, [f"Seeded {at + place + 1}" for place in range(len(page))])
        batches = _batches(tenants, size)
        number = sum(1 for _ in _batches(tenants, size))
        chosen = set(_RANDOM.sample(range(number), min(keep, number)))
        from_each = -(-keep // max(1, len(chosen)))
        secrets: list[str] = []
        numbered = iter(enumerate(batches))

        async def write() -> None:
            for place, (tenant_id, users, count) in numbered:
                new = await self._add(tenant_id, users, count)
                if place in chosen:
                    secrets.extend(new[:from_each])
                on_progress(count)

        await asyncio.gather(*(write() for _ in range(_WRITERS)))
        return Seeded(size, secrets)

    async def _add(self, tenant_id: str, users: Sequence[str], count: int) -> Sequence[str]:
        """Add sessions of these users in one transaction, and return their secrets."""
        # A thread, so that the other transactions continue; sealing takes most of the time.
        rows = await asyncio.to_thread(self._rows, tenant_id, users, count)
        async with self.database.tenant(tenant_id) as unit:
            await unit.execute(
                _ADD_SESSIONS,
                tenant_id,
                self.issuer,
                float(self.policy.absolute_seconds),
                _SCOPES,
                _ROLES,
                *rows.columns,
            )
            await unit.execute(_ADD_EARLIER_SECRETS, tenant_id, *rows.earlier)
            await unit.execute(_ADD_LOOKUPS, tenant_id, *rows.lookups)
        return rows.secrets

    def _rows(self, tenant_id: str, users: Sequence[str], count: int) -> _Rows:
        rows = _Rows()
        now = time.time()
        for place in range(count):
            session_id, user_id = uuid4(), users[place % len(users)]
            sign_in = SignIn(self.issuer, user_id, sid=str(uuid4()))
            secret = SESSION_SECRETS.issue(tenant_id)
            rotations = _RANDOM.randrange(3)
            auth_time = now - _RANDOM.uniform(_USED_SECONDS, self.policy.absolute_seconds * 0.9)
            row = (
                session_id,
                user_id,
                secret.digest,
                TokenWriter(None, self.sealer).tokens(_tokens(), session_id),
                datetime.fromtimestamp(auth_time, UTC),
                datetime.fromtimestamp(now - _RANDOM.uniform(0, _USED_SECONDS), UTC),
                os.urandom(32),
                1 + rotations,
                _RANDOM.choice(_DEVICES),
                f"203.0.{_RANDOM.randrange(256)}.0/24",
            )
            for column, value in zip(rows.columns, row, strict=True):
                column.append(value)
            for _ in range(rotations):
                rows.earlier[0].append(session_id)
                rows.earlier[1].append(os.urandom(32))
            for text in sign_in.lookup_texts:
                rows.lookups[0].append(session_id)
                rows.lookups[1].append(self.sealer.digest(text, purpose=LOOKUP_PURPOSE))
            rows.secrets.append(secret.text)
        return rows


class _Rows:
    """The columns of a transaction's rows, and the secrets of its sessions."""

    def __init__(self) -> None:
        self.columns: tuple[list[object], ...] = tuple([] for _ in range(10))
        self.earlier: tuple[list[UUID], list[bytes]] = ([], [])
        self.lookups: tuple[list[UUID], list[bytes]] = ([], [])
        self.secrets: list[str] = []


def _batches(tenants: Sequence[str], size: Size) -> Iterator[tuple[str, Sequence[str], int]]:
    """Yield a tenant, its users and a number of sessions, until all sessions are distributed."""
    weights = [1 / (place + 10) for place in range(len(tenants))]
    for tenant_id, sessions, users in zip(
        tenants, _shares(weights, size.sessions), _shares(weights, size.users), strict=True
    ):
        names = [f"user-{number:06}" for number in range(max(1, users))]
        for at in range(0, sessions, BATCH):
            count = min(BATCH, sessions - at)
            # Each batch begins with other users, so that each user gets several sessions.
            first = at % len(names)
            yield tenant_id, [*names[first:], *names[:first]], count


def _shares(weights: Sequence[float], total: int) -> list[int]:
    """Divide `total` by weight."""
    whole = sum(weights)
    shares, given, reached = [], 0, 0.0
    for weight in weights:
        reached += weight
        share = round(total * reached / whole) - given
        shares.append(share)
        given += share
    return shares


def _tokens() -> SessionTokens:
    """Return tokens as large as those of the built-in provider. No provider knows them."""
    return SessionTokens(_text(400), _text(360), _text(48))


def _text(size: int) -> str:
    return base64.urlsafe_b64encode(os.urandom(size)).decode().rstrip("=")
