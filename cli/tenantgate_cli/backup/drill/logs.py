"""The audit logs of the drill: sealed before the loss, and verified with their anchors after the restoration."""

from __future__ import annotations

from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.anchors.objects import Anchors
from tenantgate.transparency.checkpoints import log_origin
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.tasks import Sealer
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.tasks import all_tenants, log_verifier, read_anchors
from tenantgate.transparency.wiring import log_host, signing_keys
from tenantgate_cli.backup.drill.served import Served


async def seal(stack: Served, anchors: Anchors) -> None:
    """Seal every event that is committed now, and anchor the checkpoints."""
    database, host = PooledDatabase(stack.app_url), log_host(stack.settings)
    try:
        keys = signing_keys(stack.settings, stack.secrets)
        await Sealer(LogRepository(database), keys, anchors, lambda tenant_id: log_origin(host, tenant_id)).run()
    finally:
        await database.dispose()


async def verify(stack: Served, anchors: Anchors) -> tuple[int, list[str]]:
    """Verify every log, as `tenantgate audit verify` does. Return the number of sealed events, and the findings."""
    database = PooledDatabase(stack.app_url)
    try:
        keys = LogKeys(await signing_keys(stack.settings, stack.secrets).public_keys())
        anchored = await read_anchors(anchors, keys)
        logs = LogPages(database)
        verifier = await log_verifier(logs, keys, anchored)
        results = [
            await verifier.verify(tenant_id) for tenant_id in await all_tenants(logs, LogRepository(database), anchored)
        ]
    finally:
        await database.dispose()
    findings = [finding.text for result in results for finding in result.findings]
    return sum(result.events for result in results), findings + [one.text for one in anchored.findings[None]]
