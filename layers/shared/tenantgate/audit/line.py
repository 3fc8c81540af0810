"""Audit events as marked log lines, where no transaction can hold them. `functions/audit_ingest` stores each once."""

from __future__ import annotations

import json
import logging

from tenantgate.audit.models import Event
from tenantgate.errors.base import Word

_log = logging.getLogger(__name__)

# The message of each line, by which the subscription of the log groups filters.
MARK = "audit event"


async def mark(event: Event) -> None:
    """Write the line of an event, without its user, address and personal details. Never raises."""
    stored = event.stored(None)
    details = {
        "event_id": Word(event.id),
        "outcome": Word(event.outcome),
        "log": Word(event.tenant_id),
        "actor": None if event.actor is None else Word(event.actor),
        "resource_type": None if event.resource_type is None else Word(event.resource_type),
        "resource_id": event.resource_id,
        "session_id": None if event.session_id is None else Word(event.session_id),
        "detail": {Word(name): value for name, value in json.loads(stored.detail).items()},
        "occurred_at": event.occurred_at,
    }
    context = {"event": Word(event.type), "audit": {Word(name): value for name, value in details.items()}}
    _log.info("audit event", extra={"context": context})
