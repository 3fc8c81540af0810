"""Retention: removes the contents of events after their time, and leaves a signed statement of it in their log.

Only the owner of the tables may delete events (decision 0069). Leaves and checkpoints stay. The events of a step and
its statement, which is an event, are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.database.audit_retention import hold_log, remove_sealed
from tenantgate.database.unit import Database
from tenantgate.transparency.checkpoints import open_checkpoint
from tenantgate.transparency.errors import LogBroken, Unproven
from tenantgate.transparency.models import microseconds
from tenantgate.transparency.notes import VerifierKey, split_note
from tenantgate.transparency.statements import RETENTION_EVENT, Removed, Signer, signed_detail

# Events of a transaction, about.
STEP = 20_000


class Retention:
    """Removes events from the database of its owner's login."""

    def __init__(self, database: Database, signer: Signer, *, step: int = STEP) -> None:
        self._database = database
        self._signer = signer
        self._step = step

    async def apply(
        self, tenant_id: str, *, before: datetime, on_progress: Callable[[int], None] = lambda _: None
    ) -> int:
        """Remove the tenant's sealed events that were recorded before `before`; return their number.

        Only from the beginning of the log on: an event that is older than one before it stays until that one goes.
        May be killed and repeated. Raises `DatabaseUnreachable`, and `LogBroken` if the log's newest checkpoint doesn't
        verify.
        """
        total = 0
        while removed := await self._remove(tenant_id, before):
            total += removed
            on_progress(removed)
        return total

    async def _remove(self, tenant_id: str, before: datetime) -> int:
        keys = await self._signer.public_keys()
        async with self._database.tenant(tenant_id) as unit:
            if (note := await hold_log(unit, tenant_id)) is None:
                return 0
            origin = _origin(note, tenant_id, keys)
            removed, last = await remove_sealed(unit, tenant_id, before=before, most=self._step)
            if not removed or last is None:
                return 0
            # From position 0 on: it replaces earlier statements.
            statement = Removed(0, last, microseconds(before))
            event = Event(
                RETENTION_EVENT,
                tenant_id,
                actor="operator",
                resource_type="audit_events",
                detail=await signed_detail(self._signer, origin, statement),
            )
            await record(unit, event.stored(None))
        return removed


def _origin(note: str, tenant_id: str, keys: Sequence[bytes]) -> str:
    try:
        origin = split_note(note)[0].partition("\n")[0]
        open_checkpoint(note, [VerifierKey(origin, key) for key in keys])
    except (Unproven, ValueError) as error:
        raise LogBroken(f"its newest checkpoint doesn't verify: {error}", tenant_id=tenant_id) from None
    return origin
