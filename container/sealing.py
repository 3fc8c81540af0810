"""The container's sealing of the audit log: every few seconds in each worker. Several at once share the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from container.repeating import repeating
from tenantgate.transparency.wiring import seal

SEAL_SECONDS = 15.0


def sealing(
    work: Callable[[], Awaitable[object]] = seal, *, every: float = SEAL_SECONDS
) -> AbstractAsyncContextManager[None]:
    """Seal about every `every` seconds while the block runs."""
    return repeating(work, every=every, task="audit sealing")
