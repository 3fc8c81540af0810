"""One sweep, for the function and the container."""

from __future__ import annotations

import time

from tenantgate.revocation.tasks import prune
from tenantgate.revocation.wiring import revocation_repository
from tenantgate.sessions.tasks import Swept
from tenantgate.sessions.wiring import session_sweep


async def sweep() -> Swept:
    """Remove what has expired, as `SessionSweep.run` does, and expired revocations. Raises `DatabaseUnreachable`."""
    swept = await session_sweep().run()
    await prune(revocation_repository(), now=time.time())
    return swept
