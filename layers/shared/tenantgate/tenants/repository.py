"""The registry in PostgreSQL. Its table is shared by all tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tenantgate.audit.models import StoredEvent
from tenantgate.audit.repository import record
from tenantgate.database.unit import Database, Row, Unit
from tenantgate.tenants.models import Changes, Tenant

# Everything that a change may set.
_CHANGEABLE = ("name", "status", "session_idle_minutes", "session_absolute_hours", "allowed_issuers")
_COLUMNS = f"tenant_id, {', '.join(_CHANGEABLE)}, created_at"
_PAGE = f"SELECT {_COLUMNS} FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"  # noqa: S608  (constants)
_FIND = f"SELECT {_COLUMNS} FROM tenants WHERE tenant_id = $1"  # noqa: S608  (as above)
_ADD = (
    "INSERT INTO tenants (tenant_id, name, status, session_idle_minutes, session_absolute_hours, allowed_issuers)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id) DO NOTHING RETURNING tenant_id"
)
# $2: the names of the changed columns. The others keep their value: a concurrent change of another one isn't lost.
_CHANGE = (
    "UPDATE tenants SET "  # noqa: S608  (as above)
    + ", ".join(
        f"{name} = CASE WHEN '{name}' = ANY($2::text[]) THEN ${place} ELSE {name} END"
        for place, name in enumerate(_CHANGEABLE, start=3)
    )
    + f" WHERE tenant_id = $1 RETURNING {_COLUMNS}"
)


# Everything of a tenant that is in the list of revocations.
_PUBLISHED = frozenset({"status", "allowed_issuers"})

type CountChange = Callable[[Unit], Awaitable[object]]


class TenantRepository:
    """The store of tenants on PostgreSQL: one transaction per call. A change is inside its tenant, with its event."""

    def __init__(self, database: Database, count_change: CountChange) -> None:
        """Take the database, and the function that counts a change for the list of revocations, in the same unit."""
        self._database = database
        self._count_change = count_change

    async def page(self, *, after: str, limit: int) -> Sequence[Tenant]:
        async with self._database.untenanted() as unit:
            rows = await unit.fetch_all(_PAGE, after, limit)
        return [_tenant(row) for row in rows]

    async def find(self, tenant_id: str) -> Tenant | None:
        async with self._database.untenanted() as unit:
            return await _find(unit, tenant_id)

    async def add(self, tenant: Tenant, event: StoredEvent) -> bool:
        async with self._database.tenant(tenant.tenant_id) as unit:
            row = await unit.fetch_one(
                _ADD,
                tenant.tenant_id,
                tenant.name,
                tenant.status,
                tenant.session_idle_minutes,
                tenant.session_absolute_hours,
                _listed(tenant.allowed_issuers),
            )
            if row is not None:
                await record(unit, event)
                await self._count_change(unit)
        return row is not None

    async def change(self, tenant_id: str, changes: Changes, event: StoredEvent) -> Tenant | None:
        names = [name for name in _CHANGEABLE if name in changes]
        if not names:
            return await self.find(tenant_id)
        values = (_listed(changes.get(name)) for name in _CHANGEABLE)
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_CHANGE, tenant_id, names, *values)
            if row is not None:
                await record(unit, event)
                if not _PUBLISHED.isdisjoint(names):
                    await self._count_change(unit)
        return None if row is None else _tenant(row)


async def _find(unit: Unit, tenant_id: str) -> Tenant | None:
    row = await unit.fetch_one(_FIND, tenant_id)
    return None if row is None else _tenant(row)


def _tenant(row: Row) -> Tenant:
    issuers = row["allowed_issuers"]
    return Tenant(
        row["tenant_id"],
        row["name"],
        row["status"],
        row["session_idle_minutes"],
        row["session_absolute_hours"],
        None if issuers is None else tuple(issuers),
        int(row["created_at"].timestamp()),
    )


def _listed(value: object) -> object:
    """Return a tuple as a list, which the driver takes for an array."""
    return [*value] if isinstance(value, tuple) else value
