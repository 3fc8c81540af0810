"""The container's sweeps of sessions: one every few minutes in each worker. Several at once only share the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from container.repeating import repeating
from functions.session_sweep.sweep import sweep

SWEEP_SECONDS = 300.0


def sweeping(
    work: Callable[[], Awaitable[object]] = sweep, *, every: float = SWEEP_SECONDS
) -> AbstractAsyncContextManager[None]:
    """Sweep about every `every` seconds while the block runs."""
    return repeating(work, every=every, task="session sweep")
