"""The container's polls for security events: one every few seconds in each worker. Several at once share the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from container.repeating import repeating
from functions.security_event_poll.poll import poll
from tenantgate.tokens.policy import TokenPolicy

POLL_SECONDS = 5.0


def polling(
    policy: TokenPolicy, work: Callable[[], Awaitable[object]] = poll, *, every: float = POLL_SECONDS
) -> AbstractAsyncContextManager[None]:
    """Poll about every `every` seconds while the block runs, if an issuer has `event_poll_url`."""
    if not any(issuer.event_poll_url for issuer in policy.issuers):
        return nullcontext()
    return repeating(work, every=every, task="security event poll")
