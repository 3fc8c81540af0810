"""The values that the sealer reads and writes, and the bound of its promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

# Events that were recorded within this time before a checkpoint may be missing from it: their transactions can still
# have been open. PostgreSQL refuses to commit an event that is older than 240 s (migration 0011).
UNSEALED_WINDOW_SECONDS = 300


class QueueState(NamedTuple):
    """The tenants with unsealed events and unanchored checkpoints, and the ages of the oldest of each in seconds."""

    unsealed_tenants: int
    unsealed_seconds: int
    unanchored: int
    unanchored_seconds: int

    @property
    def oldest_seconds(self) -> int:
        """The age of the oldest of both, which the unsealed window bounds."""
        return max(self.unsealed_seconds, self.unanchored_seconds)


class QueuedEvent(NamedTuple):
    """An event that waits to be sealed.

    `recorded_at`, `row`: of the event, the row as `leaves.leaf_data` takes it; None if the event is gone. `is_sealed`:
    it has a leaf already, because a restored or repeated row queued it again. `is_moved`: the queue has another time
    for it, by which it would be sealed in another order.
    """

    id: UUID
    recorded_at: datetime | None
    row: Mapping[str, str | None] | None
    is_sealed: bool
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A tenant's log and the next events for it, the oldest first. `now`: the time of the database.

    `is_all`: no others wait. `note`: the last checkpoint, None if the log is empty or the checkpoint is missing.
    """

    tenant_id: str
    size: int
    frontier: Sequence[bytes]
    note: str | None
    events: Sequence[QueuedEvent]
    is_all: bool
    now: datetime


class Leaf(NamedTuple):
    """The leaf of an event, by its id."""

    id: UUID
    leaf_hash: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed batch: leaves from the log's size on, its new size and frontier, and the signed checkpoint."""

    leaves: Sequence[Leaf]
    size: int
    frontier: Sequence[bytes]
    note: str


class SealedCheckpoint(NamedTuple):
    """A checkpoint that was committed."""

    tenant_id: str
    id: UUID
    note: str


def microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970, exactly."""
    whole = moment.astimezone(UTC)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond
