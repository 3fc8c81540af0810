"""Data keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal
from uuid import UUID

from tenantgate.crypto.envelopes import KeyOwner, subject_digest
from tenantgate.data_keys.models import KeyGroup, StoredKey, WrappedKey
from tenantgate.database.unit import Database, Row, Unit

_COLUMNS = "id, tenant_id, purpose, subject_hash, wrapped_by, wrapped_key, created_at, retired_at"
# Every statement names the tenant too, and does not rely only on row-level security.
_OF_OWNER = "tenant_id = $1 AND purpose = $2 AND subject_hash = $3"
_ENCRYPTS = "retired_at IS NULL AND wrapped_key IS NOT NULL"
_CURRENT = f"SELECT {_COLUMNS} FROM data_keys WHERE {_OF_OWNER} AND {_ENCRYPTS}"  # noqa: S608  (constants, as below)
_FIND = f"SELECT {_COLUMNS} FROM data_keys WHERE tenant_id = $1 AND id = $2"  # noqa: S608
_FIND_ALL = f"SELECT {_COLUMNS} FROM data_keys WHERE tenant_id = $1 AND id = ANY($2::uuid[])"  # noqa: S608
_USABLE = (
    f"SELECT {_COLUMNS} FROM data_keys WHERE {_OF_OWNER} AND wrapped_key IS NOT NULL"  # noqa: S608
    " ORDER BY retired_at DESC NULLS FIRST, created_at DESC, id"
)
_ADD = (
    "INSERT INTO data_keys (tenant_id, id, purpose, subject_hash, wrapped_by, wrapped_key)"  # noqa: S608
    " VALUES ($1, $2, $3, $4, $5, $6)"
    f" ON CONFLICT (tenant_id, purpose, subject_hash) WHERE {_ENCRYPTS} DO NOTHING RETURNING id"
)
_RETIRE = (
    "UPDATE data_keys SET retired_at = clock_timestamp()"  # noqa: S608
    f" WHERE {_OF_OWNER} AND id = $4 AND {_ENCRYPTS} RETURNING id"
)
_REWRAP = (
    "UPDATE data_keys SET wrapped_by = $4, wrapped_key = $5"
    " WHERE tenant_id = $1 AND id = $2 AND wrapped_key = $3 RETURNING id"
)
_DESTROY = (
    "UPDATE data_keys SET wrapped_key = NULL, subject_hash = ''"  # noqa: S608
    f" WHERE {_OF_OWNER} AND wrapped_key IS NOT NULL RETURNING id"
)
# Until the unit ends, a destruction waits.
_HOLD = "SELECT id FROM data_keys WHERE tenant_id = $1 AND id = $2 AND wrapped_key IS NOT NULL FOR SHARE"
_TENANTS = "SELECT tenant_id FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"
_PAGE = (
    f"SELECT {_COLUMNS} FROM data_keys"  # noqa: S608
    " WHERE tenant_id = $1 AND id > $2 AND wrapped_key IS NOT NULL ORDER BY id LIMIT $3"
)
_GROUPS = (
    "SELECT tenant_id, purpose, wrapped_by,"  # noqa: S608
    f" count(*) FILTER (WHERE {_ENCRYPTS}) AS current,"
    " count(*) FILTER (WHERE retired_at IS NOT NULL AND wrapped_key IS NOT NULL) AS retired,"
    " count(*) FILTER (WHERE wrapped_key IS NULL) AS destroyed,"
    f" count(*) FILTER (WHERE {_ENCRYPTS} AND subject_hash <> '') AS subjects,"
    f" min(created_at) FILTER (WHERE {_ENCRYPTS}) AS oldest"
    " FROM data_keys WHERE tenant_id = $1 GROUP BY tenant_id, purpose, wrapped_by ORDER BY purpose, wrapped_by"
)


type Change = Literal["rotated", "rewrapped"]
# Records a change in the unit of work that makes it.
type OnChange = Callable[[Unit, StoredKey, Change], Awaitable[None]]


async def _unrecorded(_: Unit, __: StoredKey, ___: Change) -> None: ...


class DataKeyRepository:
    """The store of wrapped keys on PostgreSQL: one transaction per call, inside the tenant.

    `on_change`: called for each key that is rotated or rewrapped.
    """

    def __init__(self, database: Database, on_change: OnChange = _unrecorded) -> None:
        self._database = database
        self._on_change = on_change

    async def current(self, owner: KeyOwner) -> StoredKey | None:
        async with self._database.tenant(owner.tenant_id) as unit:
            row = await unit.fetch_one(_CURRENT, *_values(owner))
        return None if row is None else _stored(row)

    async def find(self, key_id: UUID, *, tenant_id: str) -> StoredKey | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_FIND, tenant_id, key_id)
        return None if row is None else _stored(row)

    async def find_all(self, key_ids: Sequence[UUID], *, tenant_id: str) -> Sequence[StoredKey]:
        async with self._database.tenant(tenant_id) as unit:
            return [_stored(row) for row in await unit.fetch_all(_FIND_ALL, tenant_id, key_ids)]

    async def usable(self, owner: KeyOwner) -> Sequence[StoredKey]:
        async with self._database.tenant(owner.tenant_id) as unit:
            rows = await unit.fetch_all(_USABLE, *_values(owner))
        return [_stored(row) for row in rows]

    async def add(self, key: StoredKey) -> bool:
        async with self._database.tenant(key.tenant_id) as unit:
            return await unit.fetch_one(_ADD, *_added(key)) is not None

    async def replace(self, key_id: UUID, by: StoredKey) -> bool:
        async with self._database.tenant(by.tenant_id) as unit:
            # Waits for a concurrent rotation or destruction of the key, and then finds nothing to retire.
            if await unit.fetch_one(_RETIRE, by.tenant_id, by.purpose, by.subject_hash, key_id) is None:
                return False
            await unit.execute(_ADD, *_added(by))
            await self._on_change(unit, by._replace(id=key_id), "rotated")
            return True

    async def rewrap(self, key: StoredKey, wrapped: WrappedKey) -> bool:
        async with self._database.tenant(key.tenant_id) as unit:
            if await unit.fetch_one(_REWRAP, key.tenant_id, key.id, key.wrapped_key, *wrapped) is None:
                return False
            await self._on_change(unit, key, "rewrapped")
            return True

    async def destroy(self, owner: KeyOwner) -> int:
        async with self._database.tenant(owner.tenant_id) as unit:
            return await self.destroy_in(unit, owner)

    async def destroy_in(self, unit: Unit, owner: KeyOwner) -> int:
        return len(await self.destroyed_in(unit, owner))

    async def destroyed_in(self, unit: Unit, owner: KeyOwner) -> Sequence[UUID]:
        """Destroy as `destroy_in` does; return the ids."""
        destroyed: list[UUID] = []
        # Again until nothing is left: a statement doesn't see the successor of a key for whose rotation it waited.
        while rows := await unit.fetch_all(_DESTROY, *_values(owner)):
            destroyed += [row["id"] for row in rows]
        return destroyed

    async def hold_in(self, unit: Unit, key_id: UUID, *, tenant_id: str) -> bool:
        return await unit.fetch_one(_HOLD, tenant_id, key_id) is not None

    async def tenants(self, *, after: str, limit: int) -> Sequence[str]:
        """Return up to `limit` registered tenants whose ids come after `after`, in their order."""
        async with self._database.untenanted() as unit:
            return [row["tenant_id"] for row in await unit.fetch_all(_TENANTS, after, limit)]

    async def page(self, tenant_id: str, *, after: UUID, limit: int) -> Sequence[StoredKey]:
        """Return up to `limit` of the tenant's keys that aren't destroyed, whose ids come after `after`."""
        async with self._database.tenant(tenant_id) as unit:
            return [_stored(row) for row in await unit.fetch_all(_PAGE, tenant_id, after, limit)]

    async def groups(self, tenant_id: str) -> Sequence[KeyGroup]:
        """Count the tenant's keys."""
        async with self._database.tenant(tenant_id) as unit:
            return [KeyGroup(**row) for row in await unit.fetch_all(_GROUPS, tenant_id)]


def _values(owner: KeyOwner) -> tuple[str, str, bytes]:
    return owner.tenant_id, owner.purpose, subject_digest(owner)


def _added(key: StoredKey) -> tuple[object, ...]:
    return key.tenant_id, key.id, key.purpose, key.subject_hash, key.wrapped_by, key.wrapped_key


def _stored(row: Row) -> StoredKey:
    return StoredKey(**row)
