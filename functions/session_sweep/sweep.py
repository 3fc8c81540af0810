"""One sweep, for the function and the container."""

from __future__ import annotations

import time

from tenantgate.revocation.tasks import prune
from tenantgate.revocation.wiring import revocation_repository
from tenantgate.sessions.tasks import Swept
from tenantgate.sessions.wiring import session_sweep
from tenantgate.settings.environment import get_settings


async def sweep() -> Swept:
    """Remove what has expired: sessions as `SessionSweep.run` does, revocations, and rows of the built-in provider.

    Raises `DatabaseUnreachable`.
    """
    swept = await session_sweep().run()
    await prune(revocation_repository(), now=time.time())
    if get_settings().is_development:
        from tenantgate.openid_provider.wiring import remove_expired  # noqa: PLC0415  (only in development)

        await remove_expired()
    return swept
