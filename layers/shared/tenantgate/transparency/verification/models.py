"""Findings of a verification, and the parts of a database that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

# A kind of tampering. The JSON of `tenantgate audit verify` has these words.
type Wrong = Literal[
    "row_changed",
    "row_removed",
    "row_added_late",
    "row_not_sealed",
    "row_ahead",
    "leaf_changed",
    "leaf_removed",
    "leaves_changed",
    "leaves_unsigned",
    "log_cut_off",
    "checkpoint_forged",
    "checkpoint_replaced",
    "checkpoint_removed",
    "checkpoint_unanchored",
    "anchor_forged",
    "retention_forged",
    "statement_forged",
    "state_changed",
    "log_unreadable",
]

# Of each log. One act of tampering can leave a finding for every row.
MOST_FINDINGS = 20


class Finding(NamedTuple):
    """Something that is wrong with a log. `position`, `event_id`: of the first event concerned, if known."""

    wrong: Wrong
    text: str
    position: int | None = None
    event_id: str | None = None


@dataclass
class LogResult:
    """The result of one log. `events`: its length; `removed`: those that retention removed; `unsealed`: too new.

    `wrong`: the number of findings, of which `findings` has the first ones.
    """

    tenant_id: str
    events: int = 0
    removed: int = 0
    unsealed: int = 0
    checkpoints: int = 0
    anchored: int = 0
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        self.wrong += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


class StoredCheckpoint(NamedTuple):
    """A row of `audit_checkpoints`."""

    size: int
    note: str


class StoredState(NamedTuple):
    """A row of `audit_trees`: a log's size, and the hashes of its complete subtrees, joined."""

    size: int
    frontier: bytes


class Unsealed(NamedTuple):
    """An event without a leaf. `recorded_at`: microseconds since 1970, as text. `retention`: its detail."""

    event_id: str
    recorded_at: str | None
    retention: str | None = None


class StoredStatement(NamedTuple):
    """An event `AUDIT_SEALED`. `recorded_at`: microseconds since 1970, as text. `detail`: JSON."""

    event_id: str
    recorded_at: str | None
    detail: str | None


class StatementPage(NamedTuple):
    """The statements in a page of events. `after`: where the next page begins; None after the last one."""

    statements: Sequence[StoredStatement]
    after: tuple[Any, Any] | None


class UnsealedPage(NamedTuple):
    """The events without a leaf in a page of events. `after`: where the next page begins; None after the last one."""

    unsealed: Sequence[Unsealed]
    after: tuple[Any, Any] | None


class LogReader(Protocol):
    """The parts of a tenant's log that a verification reads. Every method raises `DatabaseUnreachable`.

    Pages are short, and each is a transaction: no statement is long, and the memory doesn't depend on the log.
    """

    async def state(self, tenant_id: str) -> StoredState | None:
        """Return the sealer's state, None if it has none."""
        ...

    async def leaves_below(self, tenant_id: str, end: int) -> int:
        """Count the leaves whose position is below `end` or is missing."""
        ...

    async def leaves(self, tenant_id: str, *, after: int) -> Sequence[Mapping[str, Any]]:
        """Return the next leaves by position: `position`, `leaf_id`, `leaf_hash`, `leaf_recorded_at` (as text).

        Each has the columns of its event in the form of `leaves.leaf_data`, all of them None if the row is gone.
        """
        ...

    async def checkpoints(self, tenant_id: str, *, after: int) -> Sequence[StoredCheckpoint]:
        """Return the next checkpoints by size."""
        ...

    async def unsealed(self, tenant_id: str, *, after: tuple[Any, Any] | None) -> UnsealedPage:
        """Return a page of the events by the time of their recording."""
        ...


# Gets the number of events that were checked since the last call.
type Progress = Callable[[int], None]


def number(text: str | None) -> int | None:
    """Return the number of a stored time; None for infinity, which no event has."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else None
