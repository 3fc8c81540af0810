"""A person of the drill: an audit event is recorded about it, and after a moment it is erased."""

from __future__ import annotations

from uuid import uuid4

from tenantgate.audit.models import Event, stored_user, user_owner
from tenantgate.audit.repository import EventRepository
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.data_keys.wiring import key_encryption
from tenantgate.database.pool import PooledDatabase
from tenantgate.privacy.models import Subject
from tenantgate.privacy.service import Anchors
from tenantgate.privacy.wiring import erasure_service_of
from tenantgate_cli.backup.drill.served import Served

PERSON = Subject(f"org-{uuid4()}", "https://login.example.com", "drill")


async def record(stack: Served, person: Subject) -> None:
    """Record an event about a person, under a key that only this person has."""
    database = PooledDatabase(stack.app_url)
    try:
        keys = DataKeys(DataKeyRepository(database), key_encryption(stack.settings, stack.secrets))
        key = await keys.current(user_owner(*person))
        user = stored_user(key, person.issuer, person.user_id)
        event = Event("PRIVACY_EXPORTED", person.tenant_id, actor="user", resource_type="user", user=user)
        await EventRepository(database).add(event.stored(key))
    finally:
        await database.dispose()


async def erase(stack: Served, person: Subject, anchors: Anchors) -> None:
    """Erase the person, as an operator's command does."""
    database = PooledDatabase(stack.app_url)
    try:
        service = erasure_service_of(stack.settings, database, None, publish=_published, anchors=anchors)
        await service.erase(person, source="command", actor="operator")
    finally:
        await database.dispose()


async def _published() -> None:
    """Publish nothing: the person has no session."""
