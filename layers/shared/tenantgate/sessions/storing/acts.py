"""The audit events of sessions."""

from __future__ import annotations

from uuid import UUID

from tenantgate.audit.models import Event, StoredEvent, StoredUser, user_owner
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
    event = Event(
        "AUTH_LOGIN_SUCCESS",
        session.tenant_id,
        actor="user",
        resource_type="session",
        resource_id=str(session.id),
        session_id=session.id,
        user=session.audit_user,
        address=session.address,
        detail={"amr": grants.amr, "acr": grants.acr, "device": session.device},
    )
    return event.stored(key)


def refreshed(before: StoredSession, after: StoredSession) -> StoredEvent:
    """Return the event of a rotation. It needs no key: the session brings its user."""
    event = Event(
        "AUTH_TOKEN_REFRESHED",
        after.tenant_id,
        actor="user",
        resource_type="session",
        resource_id=str(after.id),
        session_id=after.id,
        user=before.audit_user,
        detail={"previous_session_id": None if after.id == before.id else str(before.id)},
    )
    return event.stored(None)


def ended(session: StoredSession, end: End) -> StoredEvent:
    """Return the event of a session's end."""
    event = Event(
        "AUTH_LOGOUT" if end.reason == "sign_out" else "SESSION_ENDED",
        session.tenant_id,
        actor=end.actor,
        resource_type="session",
        resource_id=str(session.id),
        session_id=session.id,
        user=session.audit_user,
        detail={"reason": end.reason},
    )
    return event.stored(None)


def timed_out(tenant_id: str, session_id: UUID, user: StoredUser | None) -> StoredEvent:
    """Return the event of a session that the sweep removed after its time-out. It needs no key."""
    event = Event(
        "SESSION_ENDED",
        tenant_id,
        actor="system",
        resource_type="session",
        resource_id=str(session_id),
        session_id=session_id,
        user=user,
        detail={"reason": "timed_out"},
    )
    return event.stored(None)


def secret_reused(session: StoredSession) -> StoredEvent:
    """Return the event of an earlier secret that was used."""
    event = Event(
        "SESSION_SECRET_REUSED",
        session.tenant_id,
        outcome="denied",
        resource_type="session",
        resource_id=str(session.id),
        session_id=session.id,
        user=session.audit_user,
    )
    return event.stored(None)
