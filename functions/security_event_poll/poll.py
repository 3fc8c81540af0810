"""One poll of all issuers, for the function and the container."""

from __future__ import annotations

from tenantgate.signals.tasks import Polled
from tenantgate.signals.wiring import security_event_poll


async def poll() -> Polled:
    """Fetch and act on security events, as `EventPoll.run` does."""
    return await (await security_event_poll()).run()
