"""The audit events of sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tenantgate.audit.models import Event, StoredEvent, StoredUser, user_owner
from tenantgate.audit.types import EventType
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.sessions.models import End, StoredSession, User


def owner_of(user: User) -> KeyOwner:
    """Return the owner of the key under which the user's events are encrypted."""
    return user_owner(*user)


def registered(tenant_id: str) -> StoredEvent:
    """Return the event of a tenant that its first sign-in adds to the registry."""
    event = Event("TENANT_REGISTERED", tenant_id, actor="system", resource_type="tenant", resource_id=tenant_id)
    return event.stored(None)


def signed_in(session: StoredSession, key: DataKey | None) -> StoredEvent:
    """Return the event of a sign-in. `key`: the user's; without it, the event has no personal data."""
    grants = session.grants
    detail = {"amr": grants.amr, "acr": grants.acr, "device": session.device}
    return _of(session, "AUTH_LOGIN_SUCCESS", actor="user", address=session.address, detail=detail).stored(key)


def refreshed(before: StoredSession, after: StoredSession) -> StoredEvent:
    """Return the event of a rotation. It needs no key: the session brings its user."""
    previous = None if after.id == before.id else str(before.id)
    detail = {"previous_session_id": previous}
    event = _event("AUTH_TOKEN_REFRESHED", after.tenant_id, after.id, before.audit_user, actor="user", detail=detail)
    return event.stored(None)


def ended(session: StoredSession, end: End) -> StoredEvent:
    """Return the event of a session's end."""
    event_type: EventType = "AUTH_LOGOUT" if end.reason == "sign_out" else "SESSION_ENDED"
    return _of(session, event_type, actor=end.actor, detail={"reason": end.reason}).stored(None)


def timed_out(tenant_id: str, session_id: UUID, user: StoredUser | None) -> StoredEvent:
    """Return the event of a session that the sweep removed after its time-out. It needs no key."""
    detail = {"reason": "timed_out"}
    return _event("SESSION_ENDED", tenant_id, session_id, user, actor="system", detail=detail).stored(None)


def secret_reused(session: StoredSession) -> StoredEvent:
    """Return the event of an earlier secret that was used."""
    return _of(session, "SESSION_SECRET_REUSED", outcome="denied").stored(None)


def _of(session: StoredSession, event_type: EventType, **parts: Any) -> Event:
    return _event(event_type, session.tenant_id, session.id, session.audit_user, **parts)


def _event(event_type: EventType, tenant_id: str, session_id: UUID, user: StoredUser | None, **parts: Any) -> Event:
    return Event(
        event_type,
        tenant_id,
        resource_type="session",
        resource_id=str(session_id),
        session_id=session_id,
        user=user,
        **parts,
    )
