"""The way through a log: each leaf in its order, its event, and the roots of the sizes that were signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantgate.transparency.leaves import leaf_data
from tenantgate.transparency.statements import RETENTION_EVENT, Removed
from tenantgate.transparency.tree import Frontier, leaf_hash
from tenantgate.transparency.verification.checkpoints import STATE, ExpectedRoots, Signed
from tenantgate.transparency.verification.models import Finding, LogResult, Wrong, number
from tenantgate.transparency.verification.sealed import SealedStatements

# Retention removes a log's oldest events, so that there is one gap. More gaps than these need no memory.
_MOST_GAPS = 1000


@dataclass
class Gap:
    """Leaves from `first` to `last` whose rows are gone: `rows`. `newest`: when the last of them was recorded."""

    first: int
    last: int
    newest: int
    first_id: str
    rows: int = 1

    def is_covered(self, ranges: Iterable[Removed]) -> bool:
        """Tell whether one of the ranges has all rows. If not, several of them together still may."""
        return any(one.first <= self.first and self.last <= one.last and self.newest < one.before for one in ranges)


class Gaps(list[Gap]):
    """The gaps of a log by their positions, in bounded memory: the last one takes the rows of those that exceed it."""

    def add(self, position: int, event_id: str, recorded: int) -> None:
        """Add the next leaf whose row is gone."""
        last = self[-1] if self else None
        if last is not None and (last.last == position - 1 or len(self) == _MOST_GAPS):
            last.last, last.newest, last.rows = position, max(last.newest, recorded), last.rows + 1
        else:
            self.append(Gap(position, position, recorded, event_id))


class Walk:
    """A walk through a log, whose findings go to `result`. `window`: the unsealed window in microseconds.

    `settle` before each leaf whose position is `due`, and after each page of leaves was read.
    """

    def __init__(self, result: LogResult, expected: ExpectedRoots, stated: SealedStatements, *, window: int) -> None:
        self._result = result
        self._expected = expected
        self._stated = stated
        self._window = window
        # None after a difference: every later root would differ, too.
        self._tree: Frontier | None = Frontier()
        self._proven = 0
        # The size of the last checkpoint that was passed.
        self._signed = 0
        self.position = 0
        self.due: int | None = None
        # An event that is recorded before this time is in one of the checkpoints that were passed.
        self.floor = 0
        # Of the leaves since the last signed time, those with the oldest and the newest time.
        self._oldest: tuple[int, int, str] | None = None
        self._newest: tuple[int, int, str] | None = None
        self.gaps = Gaps()
        # The details of retention events.
        self.retentions: list[str] = []

    async def settle(self) -> None:
        """Compare the roots that were signed for the leaves so far."""
        while (due := await self._expected.next_size()) is not None and due <= self.position:
            self._compare(due, self._expected.take(due))
        self.due = due

    def add(self, row: Mapping[str, Any]) -> None:
        """Check the next leaf and its event."""
        position: int = row["position"]
        if position != self.position:
            self._jump(position, row)
        leaf: bytes = row["leaf_hash"]
        if self._tree is not None:
            self._tree.append(leaf)
        self.position = position + 1
        self._result.events += 1
        recorded = number(row["leaf_recorded_at"])
        if row["id"] is None:
            self.gaps.add(position, row["leaf_id"], recorded or 0)
        elif leaf_hash(leaf_data(row)) != leaf:
            self._find("row_changed", "the event isn't the one that was sealed: its row was changed", row)
        elif row["created_at"] != row["leaf_recorded_at"]:
            self._find("leaf_changed", "the time in the leaf of the event was changed", row)
        if row["event_type"] == RETENTION_EVENT:
            self.retentions.append(row["detail"])
        if recorded is None:
            self._find("leaf_changed", "the time in the leaf of the event was changed", row)
        elif recorded < self.floor:
            text = (
                "the event was added late, or kept from the sealer: an earlier checkpoint is newer, and doesn't have it"
            )
            self._find("row_added_late", text, row)
        if recorded is not None:
            leaf_time = recorded, position, row["leaf_id"]
            self._oldest = min(self._oldest or leaf_time, leaf_time)
            self._newest = max(self._newest or leaf_time, leaf_time)

    def end(self) -> None:
        """Check, after the last leaf, that everything that was signed was passed."""
        first = None
        # Without reading again: a checkpoint that was added after the last leaf isn't wrong.
        while (size := self._expected.read_size()) is not None:
            for source, _ in self._expected.take(size).roots:
                first = first or (source, size)
        if first is not None:
            source, size = first
            text = f"{source} has {size:,} events, and the log ends after {self.position:,}: its end was cut off"
            wrong: Wrong = "state_changed" if source == STATE else "log_cut_off"
            self._result.add(Finding(wrong, text, self.position))
        if self.position > self._expected.newest:
            text = f"no checkpoint has the events from position {self._expected.newest:,} on"
            self._result.add(Finding("leaves_unsigned", text, self._expected.newest))

    def _compare(self, size: int, signed: Signed) -> None:
        if signed.sealed_at is not None:
            self.floor = max(self.floor, signed.sealed_at - self._window)
            if self._newest is not None and self._newest[0] > signed.sealed_at + self._window:
                _, position, event_id = self._newest
                text = "the time of the event is after that of the checkpoint that has it"
                self._result.add(Finding("row_ahead", text, position, event_id))
            self._newest = None
        if signed.signed_at is not None:
            if signed.continues not in {None, self._signed}:
                text = f"the checkpoint of {signed.continues:,} events is missing before that of {size:,}"
                self._result.add(Finding("checkpoint_removed", text, max(0, (signed.continues or 0) - 1)))
            # Of a missing checkpoint, nothing tells when it was signed.
            elif self._oldest is not None and self._oldest[0] < self._stated.through(signed.signed_at):
                _, position, event_id = self._oldest
                text = (
                    "the event was added late, or kept from the sealer: when it was sealed, a statement said that all "
                    "events of its time were"
                )
                self._result.add(Finding("row_added_late", text, position, event_id))
            self._oldest, self._signed = None, size
        if self._tree is None:
            return
        root = self._tree.root()
        of_checkpoints = [(source, one) for source, one in signed.roots if source != STATE]
        if of_checkpoints and all(one != root for _, one in of_checkpoints):
            text = (
                f"the leaves of positions {self._proven:,} to {size - 1:,} aren't those that were sealed: "
                f"{of_checkpoints[0][0]} has another root"
            )
            self._result.add(Finding("leaves_changed", text, self._proven))
            self._tree = None
            return
        if of_checkpoints:
            self._proven = size
        if any(source == STATE and one != root for source, one in signed.roots):
            text = f"the sealer's state at {size:,} events isn't that of the leaves"
            self._result.add(Finding("state_changed", text, max(0, size - 1)))

    def _jump(self, position: int, row: Mapping[str, Any]) -> None:
        self._tree = None
        if position < self.position:
            self._find("leaf_changed", "there are two leaves with one position", row)
            return
        text = f"the leaves of positions {self.position:,} to {position - 1:,} were removed"
        self._result.add(Finding("leaf_removed", text, self.position))

    def _find(self, wrong: Wrong, text: str, row: Mapping[str, Any]) -> None:
        self._result.add(Finding(wrong, text, row["position"], row["leaf_id"]))
