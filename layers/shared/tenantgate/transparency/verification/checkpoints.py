"""The roots that a log must have had: of the checkpoints in the database, of the anchored ones, and the sealer's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tenantgate.transparency.checkpoints import Checkpoint, parse_checkpoint
from tenantgate.transparency.errors import Unproven
from tenantgate.transparency.notes import split_note
from tenantgate.transparency.tree import Frontier
from tenantgate.transparency.verification.anchored import AnchoredCheckpoint, note_digest
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.models import Finding, LogReader, LogResult, StoredCheckpoint, Wrong

# The source of a root that isn't signed.
STATE = "the sealer's state"


class Signed(NamedTuple):
    """The roots that were signed for a size, each with its source, and the largest numbers that they state."""

    roots: list[tuple[str, bytes]]
    sealed_at: int | None
    signed_at: int | None
    continues: int | None


class ExpectedRoots:
    """The expected roots of a log by size. Adds to `result` what is wrong with the checkpoints themselves.

    `unanchored_before`: a checkpoint that was sealed earlier must be anchored; None without anchors.
    """

    def __init__(
        self,
        reader: LogReader,
        keys: LogKeys,
        result: LogResult,
        *,
        anchored: Iterator[AnchoredCheckpoint],
        state: Frontier | None,
        unanchored_before: int | None,
    ) -> None:
        self._reader = reader
        self._keys = keys
        self._result = result
        self._anchored = anchored
        self._next_anchored = next(anchored, None)
        self._state = state
        self._unanchored_before = unanchored_before
        self._stored: deque[StoredCheckpoint] = deque()
        self._read_to = -1
        # The size of the newest checkpoint in the database.
        self.newest = 0
        # The origin of the log's first checkpoint, which it keeps.
        self.origin: str | None = None

    async def next_size(self) -> int | None:
        """Return the smallest size that is left, None after the last one. Reads on if checkpoints were added."""
        if not self._stored:
            page = await self._reader.checkpoints(self._result.tenant_id, after=self._read_to)
            self._stored.extend(page)
            if page:
                self._read_to = page[-1].size
        return self.read_size()

    def read_size(self) -> int | None:
        """Return the smallest size that was read and is left."""
        sizes = [one.size for one in (self._next_anchored, self._state, next(iter(self._stored), None)) if one]
        return min(sizes, default=None)

    def take(self, size: int) -> Signed:
        """Return what was signed for `size`, the smallest one that is left."""
        roots: list[tuple[str, bytes]] = []
        anchored = self._take_anchored(size)
        stated: list[Checkpoint | AnchoredCheckpoint] = [*anchored]
        stored = []
        while self._stored and self._stored[0].size == size:
            stored.append(self._stored.popleft())
        for one in stored:
            checkpoint = self._opened(one, {found.digest: found for found in anchored})
            self.newest = max(self.newest, one.size)
            if checkpoint is not None:
                roots.append(("the checkpoint in the database", checkpoint.root))
                stated.append(checkpoint)
                self._compare(checkpoint, anchored)
        if anchored and not stored:
            self._add("checkpoint_removed", f"the anchored checkpoint of {size:,} events isn't in the database", size)
        roots += [("the anchored checkpoint", found.root) for found in anchored]
        if self._state is not None and self._state.size == size:
            roots.append((STATE, self._state.root()))
            self._state = None
        return Signed(
            roots,
            _largest(one.sealed_at for one in stated),
            _largest(one.signed_at for one in stated),
            _largest(one.continues for one in stated),
        )

    def _take_anchored(self, size: int) -> list[AnchoredCheckpoint]:
        taken = []
        while self._next_anchored is not None and self._next_anchored.size == size:
            taken.append(self._next_anchored)
            self._next_anchored = next(self._anchored, None)
        self._result.anchored += len(taken)
        return taken

    def _opened(self, stored: StoredCheckpoint, known: dict[bytes, AnchoredCheckpoint]) -> Checkpoint | None:
        self._result.checkpoints += 1
        same = known.get(note_digest(stored.note))
        try:
            # The same note was verified as an anchor.
            checkpoint = (
                self._keys.open(stored.note, self._result.tenant_id)
                if same is None
                else parse_checkpoint(split_note(stored.note)[0])
            )
        except Unproven as error:
            self._add("checkpoint_forged", f"the checkpoint of {stored.size:,} events: {error}", stored.size)
            return None
        if self.origin is None:
            self.origin = checkpoint.origin
        if checkpoint.origin != self.origin:
            text = f"the checkpoint of {stored.size:,} events is of {checkpoint.origin}, and not of {self.origin}"
            self._add("checkpoint_forged", text, stored.size)
            return None
        if checkpoint.size != stored.size:
            text = f"the checkpoint of {stored.size:,} events was replaced by one of {checkpoint.size:,}"
            self._add("checkpoint_replaced", text, min(stored.size, checkpoint.size))
            return None
        return checkpoint

    def _compare(self, checkpoint: Checkpoint, anchored: list[AnchoredCheckpoint]) -> None:
        if any(one.root != checkpoint.root for one in anchored):
            text = f"the checkpoint of {checkpoint.size:,} events isn't the anchored one: their roots differ"
            self._add("checkpoint_replaced", text, checkpoint.size)
        limit = self._unanchored_before
        if not anchored and limit is not None and (checkpoint.sealed_at is None or checkpoint.sealed_at < limit):
            text = f"the checkpoint of {checkpoint.size:,} events isn't anchored outside the database"
            self._add("checkpoint_unanchored", text, checkpoint.size)

    def _add(self, wrong: Wrong, text: str, size: int) -> None:
        self._result.add(Finding(wrong, text, max(0, size - 1)))


def _largest(numbers: Iterable[int | None]) -> int | None:
    return max((one for one in numbers if one is not None), default=None)
