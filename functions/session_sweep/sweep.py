"""One sweep, for the function and the container."""

from __future__ import annotations

from tenantgate.sessions.tasks import Swept
from tenantgate.sessions.wiring import session_sweep


async def sweep() -> Swept:
    """Remove what has expired, as `SessionSweep.run` does. Raises `DatabaseUnreachable`."""
    return await session_sweep().run()
