"""`GET /api/v1/health/live` and `GET /api/v1/health/ready`, which need no credential."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import cache
from typing import Literal

from fastapi import APIRouter

from functions.health.checks import DEADLINE_SECONDS, Check, Readiness, Status
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.models import StrictModel
from tenantgate.web.responses import error_responses

logger = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


class LiveResponse(StrictModel):
    status: Literal["ok"] = "ok"
    timestamp: int


class ReadyResponse(StrictModel):
    status: Literal["ready"] = "ready"
    checks: dict[str, Literal["ok", "warning", "absent"]]
    timestamp: int


@router.get("/api/v1/health/live", operation_id="live", summary="Liveness", responses=error_responses())
async def live() -> LiveResponse:
    """Report that the process responds, without checking anything else. `timestamp`: whole seconds since the epoch."""
    return LiveResponse(timestamp=int(time.time()))


@router.get(
    "/api/v1/health/ready",
    operation_id="ready",
    summary="Readiness",
    responses=error_responses(DatabaseUnreachable, SecretsUnavailable),
)
async def ready() -> ReadyResponse:
    """Check every dependency, in less than 500 ms. If one fails, return 503 with all checks in `error.detail`.

    `secrets` is `warning` when Secrets Manager can't be read but every required secret is in memory. `database` is
    `warning` when `DATABASE_TLS` allows connections to a server that isn't verified. `schema` is `failed` when the
    database's schema is older than the code, and `warning` when it is newer, as after a rollback. `vector` is `absent`
    when the database has no pgvector, which is optional. `cache` is `warning` when Valkey doesn't respond, or when
    `REDIS_TLS` allows a server that isn't verified, and `absent` without `REDIS_URL`. `revocation` is `warning` when
    the list of revocations is too old, so that no credential is accepted, and `absent` without `REDIS_URL`: the
    authorizer then accepts a revoked token until it expires.
    """
    statuses = await readiness().run()
    timestamp = int(time.time())
    checks: dict[str, Literal["ok", "warning", "absent"]] = {}
    for name, status in statuses.items():
        if status == "failed":
            failure = SecretsUnavailable if name == "secrets" else DatabaseUnreachable
            raise failure(detail={"checks": statuses, "timestamp": timestamp})
        checks[name] = status
    return ReadyResponse(checks=checks, timestamp=timestamp)


@cache
def readiness() -> Readiness:
    """Return this process's checks, with everything imported and built: a cold start must not use up the deadline."""
    from tenantgate.cache.wiring import prepare_cache  # noqa: PLC0415
    from tenantgate.database.wiring import prepare_database  # noqa: PLC0415
    from tenantgate.secrets.wiring import secret_store  # noqa: PLC0415  (liveness needs none of them)

    prepare_cache()
    prepare_database()
    secret_store().prepare()
    secrets = _Secrets()
    return Readiness(
        {
            "database": Check(_database),
            "secrets": Check(secrets.check, secrets.overdue),
            "cache": Check(_cache, lambda: "warning"),
            "revocation": Check(_revocation, lambda: "warning"),
        }
    )


_SCHEMA: Mapping[str, Status] = {"ok": "ok", "older": "failed", "newer": "warning"}


async def _database() -> Mapping[str, Status]:
    from tenantgate.database.wiring import (  # noqa: PLC0415  (as `readiness` does)
        database,
        database_is_verified,
        schema_age,
    )

    # Earlier than the common deadline, so that the log has the cause.
    found = await database().check(timeout=DEADLINE_SECONDS - 0.05)
    return {
        "database": "ok" if database_is_verified() else "warning",
        "schema": _SCHEMA[schema_age(found.revision)],
        "vector": "ok" if found.vector else "absent",
    }


async def _cache() -> Status:
    from tenantgate.cache.wiring import cache, cache_is_verified  # noqa: PLC0415  (as `readiness` does)
    from tenantgate.errors.cache import CacheUnavailable  # noqa: PLC0415

    if (found := cache()) is None:
        return "absent"
    try:
        await found.ping(timeout=DEADLINE_SECONDS - 0.05)
    except CacheUnavailable as error:
        # Requests are served without it, so a load balancer must not take this process out of service.
        logger.warning("the cache doesn't respond", exc_info=error)
        return "warning"
    return "ok" if cache_is_verified() else "warning"


async def _revocation() -> Status:
    from tenantgate.cache.wiring import cache  # noqa: PLC0415  (as `readiness` does)
    from tenantgate.errors.revocation import RevocationUnknown  # noqa: PLC0415
    from tenantgate.revocation.credential import current_revocations  # noqa: PLC0415

    if cache() is None:
        return "absent"
    revocations = current_revocations()
    await revocations.refresh()
    try:
        revocations.current()
    except RevocationUnknown as error:
        logger.warning("the list of revocations is too old", exc_info=error)
        return "warning"
    return "ok"


class _Secrets:
    """Checks the secrets. Once all were in memory, a store that doesn't respond is a warning: it keeps them."""

    def __init__(self) -> None:
        self._in_memory = False

    async def check(self) -> Status:
        from tenantgate.secrets.wiring import secret_store  # noqa: PLC0415

        health = await secret_store().check()
        if health.status == "unavailable":
            return "failed"
        self._in_memory = True
        return "ok" if health.status == "ok" else "warning"

    def overdue(self) -> Status:
        return "warning" if self._in_memory else "failed"
