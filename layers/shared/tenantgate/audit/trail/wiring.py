"""Reading the audit trail on the process's database."""

from __future__ import annotations

from tenantgate.audit.trail.pages import EventPages
from tenantgate.audit.trail.service import TrailService
from tenantgate.data_keys.wiring import data_keys
from tenantgate.database.wiring import database
from tenantgate.secrets.wiring import secret_store


async def trail_service() -> TrailService:
    """Build the service. It is cheap."""
    return TrailService(EventPages(database()), data_keys(), secret_store().sealer)
