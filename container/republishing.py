"""The container's publications of the list of revocations: every second in each worker, if there is a cache."""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager, nullcontext

from container.repeating import in_background
from tenantgate.revocation.tasks import Republisher
from tenantgate.revocation.wiring import republisher
from tenantgate.settings.model import Settings


def republishing(settings: Settings, made: Republisher | None = None) -> AbstractAsyncContextManager[None]:
    """Publish while the block runs. `made`: by default on the process's database and cache."""
    publisher = made or (None if settings.redis_url is None else republisher())
    return nullcontext() if publisher is None else in_background(publisher.run(math.inf))
