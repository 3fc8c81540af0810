"""The verification of all logs of a deployment, and the reading of its anchors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.anchors.objects import CHECKPOINTS, Anchors, is_name, read_checkpoints
from tenantgate.transparency.errors import CheckpointMalformed
from tenantgate.transparency.models import UNSEALED_WINDOW_SECONDS
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.verification.anchored import AnchoredCheckpoints
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.models import StoredState
from tenantgate.transparency.verification.sealed import read_statements
from tenantgate.transparency.verification.service import LogVerifier

_PAGE = 1000


class LogLister(Protocol):
    """Lists logs. Every method raises `DatabaseUnreachable`."""

    async def tenants(self, *, after: str) -> Sequence[str]:
        """Return the next registered tenants."""
        ...

    async def state(self, tenant_id: str) -> StoredState | None: ...


class QueueLister(Protocol):
    """Lists the tenants with unsealed events. Raises `DatabaseUnreachable`."""

    async def waiting(self, *, after: str, limit: int) -> Sequence[str]: ...


async def read_anchors(anchors: Anchors, keys: LogKeys, *, only: str | None = None) -> AnchoredCheckpoints:
    """Read and verify all anchored checkpoints. `only`: of one tenant. Raises `AnchorUnavailable`.

    An object that the sealer can't have written is a finding of no tenant.
    """
    found = AnchoredCheckpoints(keys, only=only)
    for name in await anchors.names(CHECKPOINTS):
        if not is_name(name):
            # Escaped: a name in a folder may be no text at all.
            found.add_broken(f"{name!a} isn't the name of an object of checkpoints")
            continue
        try:
            notes = read_checkpoints(await anchors.get(name))
        except CheckpointMalformed:
            found.add_broken(f"{name} isn't an object of checkpoints")
            continue
        for note in notes:
            found.add(note, anchor=name)
    return found


async def log_verifier(logs: LogPages, keys: LogKeys, anchored: AnchoredCheckpoints | None) -> LogVerifier:
    """Return a verifier of a deployment's logs, which knows the sealer's statements. Raises `DatabaseUnreachable`."""
    stated = await read_statements(logs, keys)
    return LogVerifier(logs, keys, anchored, stated=stated, window_seconds=UNSEALED_WINDOW_SECONDS)


async def all_tenants(logs: LogLister, queue: QueueLister, anchored: AnchoredCheckpoints | None) -> list[str]:
    """Return the tenants whose logs are known: registered ones, those in the queue, and those that anchors name.

    An unregistered tenant without anchors and unsealed events isn't found.
    """
    found = {DEPLOYMENT, *(() if anchored is None else anchored.tenants)}
    after = ""
    while page := await logs.tenants(after=after):
        found.update(page)
        after = page[-1]
    after = ""
    while waiting := await queue.waiting(after=after, limit=_PAGE):
        found.update(waiting)
        after = waiting[-1]
    return sorted(found)


async def sizes(logs: LogLister, tenants: Sequence[str]) -> AsyncIterator[int]:
    """Yield the sizes of logs as the sealer states them, for an estimate of the work."""
    for tenant_id in tenants:
        state = await logs.state(tenant_id)
        yield 0 if state is None else state.size
