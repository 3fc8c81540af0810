"""Look-ups and received logout tokens in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantgate.audit.models import StoredEvent
from tenantgate.audit.repository import record
from tenantgate.database.moments import moment
from tenantgate.database.unit import Database

# An update without a change, so that a row that exists is returned, too.
_BEGIN = (
    "INSERT INTO seen_token_ids (token_hash, named, issued_at, expires_at) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (token_hash) DO UPDATE SET token_hash = EXCLUDED.token_hash RETURNING done_at"
)
_FINISH = "UPDATE seen_token_ids SET done_at = $2 WHERE token_hash = $1"
_FIND = "SELECT DISTINCT tenant_id, session_id FROM session_lookup WHERE lookup_hash = ANY($1)"
_FIND_BOTH = (
    "SELECT DISTINCT one.tenant_id, one.session_id FROM session_lookup one"
    " JOIN session_lookup other ON other.session_id = one.session_id AND other.tenant_id = one.tenant_id"
    " WHERE one.lookup_hash = ANY($1) AND other.lookup_hash = ANY($2)"
)


class NameRepository:
    """The store of `NamedSessions` and `LogoutTokenService` on PostgreSQL: one transaction per call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_named(self, digests: Sequence[Sequence[bytes]]) -> Sequence[tuple[str, UUID]]:
        first, *others = ([*alternatives] for alternatives in digests)
        async with self._database.untenanted() as unit:
            rows = await (unit.fetch_all(_FIND_BOTH, first, *others) if others else unit.fetch_all(_FIND, first))
        return [(row["tenant_id"], row["session_id"]) for row in rows]

    async def begin(self, token_hash: bytes, *, named: Sequence[bytes], issued_at: float, expires_at: float) -> bool:
        async with self._database.untenanted() as unit:
            row = await unit.fetch_one(_BEGIN, token_hash, [*named], moment(issued_at), moment(expires_at))
        return row is not None and row["done_at"] is None

    async def finish(self, token_hash: bytes, *, at: float, event: StoredEvent) -> None:
        async with self._database.tenant(event.tenant_id) as unit:
            await unit.execute(_FINISH, token_hash, moment(at))
            await record(unit, event)
