"""The verification of a log: its leaves against the signed roots, its events against their leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.errors import Unproven
from tenantgate.transparency.statements import Removed, open_statement
from tenantgate.transparency.tree import HASH_BYTES, Frontier
from tenantgate.transparency.verification.anchored import AnchoredCheckpoint, AnchoredCheckpoints
from tenantgate.transparency.verification.checkpoints import ExpectedRoots
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.models import Finding, LogReader, LogResult, Progress, number
from tenantgate.transparency.verification.sealed import SealedStatements
from tenantgate.transparency.verification.walk import Gap, Gaps, Walk


class LogVerifier:
    """Verifies logs. Several can be verified at once.

    `anchored`: None if there are no anchors: then nothing shows that a log was set back to an earlier state.
    `stated`: what the sealer stated; without, a row that was added late to a log without events may not be named.
    `window_seconds`: the unsealed window. `clock`: epoch seconds.
    """

    def __init__(
        self,
        reader: LogReader,
        keys: LogKeys,
        anchored: AnchoredCheckpoints | None,
        *,
        stated: SealedStatements | None = None,
        window_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._keys = keys
        self._anchored = anchored
        self.stated = stated or SealedStatements()
        self._window = _microseconds(window_seconds)
        self._clock = clock

    async def verify(self, tenant_id: str, *, on_progress: Progress = lambda _: None) -> LogResult:
        """Verify a tenant's log. Concurrent requests, sealing and retention don't disturb it.

        Raises `DatabaseUnreachable`.
        """
        result = LogResult(tenant_id)
        try:
            await self._verify(result, on_progress)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            # Without a constraint that a superuser dropped, a value may have any form. The other logs are verified.
            text = f"a value has a form that no column allows: {type(error).__name__}"
            result.add(Finding("log_unreadable", text))
        return result

    async def _verify(self, result: LogResult, on_progress: Progress) -> None:
        tenant_id, oldest_unsealed = result.tenant_id, _microseconds(self._clock()) - self._window
        anchored: Iterator[AnchoredCheckpoint] = iter(())
        if self._anchored is not None:
            anchored = self._anchored.of(tenant_id)
            for finding in self._anchored.findings.get(tenant_id, ()):
                result.add(finding)
        for finding in self.stated.findings if tenant_id == DEPLOYMENT else ():
            result.add(finding)
        # Before the leaves: it isn't newer than they are.
        state = await self._state(tenant_id, result)
        expected = ExpectedRoots(
            self._reader,
            self._keys,
            result,
            anchored=anchored,
            state=state,
            unanchored_before=None if self._anchored is None else oldest_unsealed,
        )
        walk = Walk(result, expected, self.stated, window=self._window)
        await self._read_leaves(walk, result, on_progress)
        # After the leaves: retention adds its event when it removes rows.
        await self._read_unsealed(walk, result, oldest_unsealed)
        if walk.gaps:
            # The event may have been sealed in between.
            await self._read_leaves(walk, result, on_progress)
        walk.end()
        await self._judge_gaps(walk, result, expected.origin)
        if result.events and state is None and await self._reader.state(tenant_id) is None:
            result.add(Finding("state_changed", "the sealer's state was removed: it would begin another log"))
        if await self._reader.leaves_below(tenant_id, walk.position) > result.events:
            result.add(Finding("leaf_changed", "there are leaves without a position in the log, or two with one"))

    async def _state(self, tenant_id: str, result: LogResult) -> Frontier | None:
        stored = await self._reader.state(tenant_id)
        if stored is None:
            return None
        frontier = stored.frontier
        try:
            return Frontier(stored.size, [frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)])
        except ValueError:
            result.add(Finding("state_changed", "the sealer's state isn't that of any log"))
            return None

    async def _read_leaves(self, walk: Walk, result: LogResult, on_progress: Progress) -> None:
        is_again = False
        while True:
            page = await self._reader.leaves(result.tenant_id, after=walk.position - 1)
            # After the page: the checkpoints of its leaves were committed with them.
            await walk.settle()
            if not page:
                if walk.due is None or is_again:
                    break
                # The checkpoint is newer than the page. If it is right, there are further leaves now.
                is_again = True
                continue
            is_again = False
            for row in page:
                if walk.position == walk.due:
                    await walk.settle()
                walk.add(row)
            on_progress(len(page))

    async def _judge_gaps(self, walk: Walk, result: LogResult, origin: str | None) -> None:
        keys, ranges = [] if origin is None else self._keys.of(origin), []
        for detail in walk.retentions:
            try:
                ranges.append(open_statement(Removed, detail, keys))
            except Unproven as error:
                result.add(Finding("retention_forged", f"a retention event: {error}"))
        # The newest ones have the most rows.
        ranges.sort(reverse=True)
        uncovered = Gaps()
        for gap in walk.gaps:
            result.removed += gap.rows
            if not gap.is_covered(ranges):
                await self._read_gap(result.tenant_id, gap, ranges, uncovered)
        for gap in uncovered:
            result.removed -= gap.rows
            where = f"position {gap.first:,}" if gap.first == gap.last else f"positions {gap.first:,} to {gap.last:,}"
            text = f"the events of {where} were removed, and no retention signed for it"
            result.add(Finding("row_removed", text, gap.first, gap.first_id))

    async def _read_gap(self, tenant_id: str, gap: Gap, ranges: Sequence[Removed], uncovered: Gaps) -> None:
        """Read a gap again, now that the statements of retention are known, and add its rows that none of them has."""
        after = gap.first - 1
        while after < gap.last and (page := await self._reader.leaves(tenant_id, after=after)):
            for row in page:
                after = row["position"]
                recorded = number(row["leaf_recorded_at"]) or 0
                is_gone = row["id"] is None and after <= gap.last
                if is_gone and not any(one.first <= after <= one.last and recorded < one.before for one in ranges):
                    uncovered.add(after, row["leaf_id"], recorded)

    async def _read_unsealed(self, walk: Walk, result: LogResult, oldest: int) -> None:
        after: tuple[Any, Any] | None = None
        while True:
            page = await self._reader.unsealed(result.tenant_id, after=after)
            for event in page.unsealed:
                result.unsealed += 1
                if event.retention is not None:
                    walk.retentions.append(event.retention)
                recorded = number(event.recorded_at)
                # A checkpoint that is newer would have it.
                if recorded is None or recorded < max(oldest, walk.floor):
                    text = "the event is older than the unsealed window and isn't in the log: added late, or kept out"
                    result.add(Finding("row_not_sealed", text, None, event.event_id))
                elif recorded > oldest + 2 * self._window:
                    result.add(Finding("row_ahead", "the time of the event is in the future", None, event.event_id))
            if (after := page.after) is None:
                return


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
