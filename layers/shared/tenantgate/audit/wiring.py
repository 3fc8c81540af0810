"""The audit log on the process's database."""

from __future__ import annotations

from tenantgate.audit.ingest import Ingest
from tenantgate.audit.line import mark
from tenantgate.audit.models import Event
from tenantgate.audit.repository import EventRepository
from tenantgate.audit.service import AuditLog
from tenantgate.data_keys.wiring import data_keys
from tenantgate.database.wiring import database
from tenantgate.settings.environment import get_settings
from tenantgate.tokens.tenant import may_be_named


async def append(event: Event) -> None:
    """Append an event that has no unit of work. Never raises."""
    if get_settings().database_url is None:
        await mark(event)
    else:
        await AuditLog(EventRepository(database()), data_keys()).append(event)


def ingest() -> Ingest:
    """Return the store of marked events."""
    pattern = get_settings().token_policy.tenant_id_pattern

    def is_tenant(tenant_id: str) -> bool:
        return may_be_named(tenant_id, pattern)

    return Ingest(EventRepository(database()), data_keys(), is_tenant=is_tenant)
