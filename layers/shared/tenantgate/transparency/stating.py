"""The sealer's statements: once in a while, that the events of all logs before a time are sealed.

A checkpoint tells this for its own log, and a log without events has no newer one. An event in the deployment's own log
tells it for all of them, and is sealed there. A row that is added to a quiet log with an older time contradicts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.database.unit import Database
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.models import UNSEALED_WINDOW_SECONDS
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.statements import MOST_DELAY, SEALED_EVENT, Signer, signed_detail
from tenantgate.transparency.verification.keys import LogKeys, origin_of

# A statement is a row and, with anchors, an object; it is the time for which a quiet log can be added to unnoticed.
STATEMENT_SECONDS = 3600.0


# Half of the delay that a verification accepts, in microseconds.
_MOST_DELAY = MOST_DELAY // 2
# The time that the event gets: that of its transaction.
_RECORDED_AT = "SELECT trunc(extract(epoch FROM pg_catalog.now()) * 1000000)::bigint AS recorded_at"


class Turn:
    """Work that a process does once in a while, the first time at once. `clock`: monotonic seconds."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._done: float | None = None

    @property
    def is_due(self) -> bool:
        """Tell whether it wasn't done for so long."""
        return self._done is None or self._clock() - self._done >= self._seconds

    def done(self) -> None:
        """Note that it was done."""
        self._done = self._clock()


async def state_sealed(database: Database, signer: Signer, origin: Callable[[str], str]) -> bool:
    """Record the statement, and return whether it could be made: no event may wait for longer than the unsealed window.

    `origin` returns the origin of a tenant's new log. Raises `DatabaseUnreachable`, and as the signer does.
    """
    keys = LogKeys(await signer.public_keys())
    name = await origin_of(LogPages(database), keys, DEPLOYMENT) or origin(DEPLOYMENT)
    statement = await LogRepository(database).sealed_through(window_seconds=UNSEALED_WINDOW_SECONDS)
    if statement is None:
        return False
    event = Event(
        SEALED_EVENT,
        DEPLOYMENT,
        actor="system",
        resource_type="audit_events",
        detail=await signed_detail(signer, name, statement),
    )
    async with database.tenant(DEPLOYMENT) as unit:
        row = await unit.fetch_one(_RECORDED_AT)
        # After a pause of the process, a verification would take it for a copy.
        if row is None or not 0 <= row["recorded_at"] - statement.at <= _MOST_DELAY:
            return False
        await record(unit, event.stored(None))
    return True
