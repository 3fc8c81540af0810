"""The statements that everything before a time was sealed (`statements.SealedThrough`), as a verification uses them.

A log without events has no checkpoint to contradict a row that is added to it later, and sealed. These statements do:
they concern all logs, and are in the deployment's own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.errors import NoteUnsigned, Unproven
from tenantgate.transparency.notes import VerifierKey
from tenantgate.transparency.statements import MOST_DELAY, SealedThrough, open_statement
from tenantgate.transparency.verification.keys import LogKeys, origin_of
from tenantgate.transparency.verification.models import (
    MOST_FINDINGS,
    Finding,
    StatementPage,
    StoredCheckpoint,
    StoredStatement,
    number,
)


class StatementReader(Protocol):
    """The parts of a database that are read for statements. Every method raises `DatabaseUnreachable`."""

    async def checkpoints(self, tenant_id: str, *, after: int) -> Sequence[StoredCheckpoint]: ...

    async def statements(self, *, after: tuple[Any, Any] | None) -> StatementPage: ...


class SealedStatements:
    """The verified statements. `findings`: those that the sealer didn't make; they are of the deployment's own log."""

    def __init__(self) -> None:
        self._at: list[int] = []
        self._through: list[int] = []
        self.findings: list[Finding] = []

    def add(self, statement: SealedThrough) -> None:
        """Add a statement that isn't older than the last one."""
        self._at.append(statement.at)
        self._through.append(max(statement.through, self._through[-1] if self._through else 0))

    def add_forged(self, event_id: str, text: str) -> None:
        """Add a finding, unless there are as many as a result shows: any login can add events."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding("statement_forged", f"a statement of the sealer: {text}", None, event_id))

    @property
    def last(self) -> int | None:
        """The time of the last statement, in microseconds since 1970."""
        return self._at[-1] if self._at else None

    @property
    def longest_pause(self) -> int:
        """The longest time between two statements, in microseconds."""
        return max((later - earlier for earlier, later in pairwise(self._at)), default=0)

    def through(self, moment: int) -> int:
        """Return the time before which all events were sealed when a checkpoint was signed at `moment`.

        Both in microseconds since 1970; 0 without a statement that is older than the checkpoint.
        """
        count = bisect_left(self._at, moment)
        return self._through[count - 1] if count else 0


async def read_statements(reader: StatementReader, keys: LogKeys) -> SealedStatements:
    """Read and verify all statements. Raises `DatabaseUnreachable`."""
    made = SealedStatements()
    # Without an origin, nothing of the log was sealed, or it has findings itself.
    if (origin := await origin_of(reader, keys, DEPLOYMENT)) is None:
        return made
    verifiers = keys.of(origin)
    found: list[SealedThrough] = []
    after: tuple[Any, Any] | None = None
    while True:
        page = await reader.statements(after=after)
        for stored in page.statements:
            try:
                found.append(_opened(stored, verifiers))
            except Unproven as error:
                made.add_forged(stored.event_id, str(error))
        if (after := page.after) is None:
            break
    for statement in sorted(found):
        made.add(statement)
    return made


def _opened(stored: StoredStatement, verifiers: list[VerifierKey]) -> SealedThrough:
    """Return a statement that the sealer made for this event. Raises `Unproven`."""
    statement = open_statement(SealedThrough, stored.detail or "", verifiers)
    recorded = number(stored.recorded_at)
    # A copy of an old statement would look like the newest one.
    if recorded is None or abs(recorded - statement.at) > MOST_DELAY:
        raise NoteUnsigned("it was made at another time than its event")
    return statement
