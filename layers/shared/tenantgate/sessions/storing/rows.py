"""A session as a row of `sessions`, and back."""

from __future__ import annotations

from tenantgate.audit.models import StoredUser
from tenantgate.database.moments import moment, whole_seconds
from tenantgate.database.unit import Row
from tenantgate.sessions.models import Grants, StoredSession, TenantState

# The columns of a new session, and those of its rotations.
NAMES = (
    *("id", "tenant_id", "user_id", "issuer", "secret_hash", "sealed_tokens", "created_at", "expires_at", "auth_time"),
    *("last_used_at", "csrf_token", "scopes", "roles", "acr", "amr", "provider_auth_time", "device", "address"),
    *("issued_tokens", "audit_user_digest", "audit_user"),
)
ROTATION = ("version", "previous_hash", "rotated_at", "sealed_replay", "lease_holder", "lease_until")


def stored_session(row: Row) -> StoredSession:
    """Return the session in a row of `STORED_COLUMNS`."""
    return StoredSession(
        id=row["id"],
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        issuer=row["issuer"],
        secret_hash=row["secret_hash"],
        sealed_tokens=row["sealed_tokens"],
        created_at=whole_seconds(row["created_at"]),
        expires_at=whole_seconds(row["expires_at"]),
        auth_time=whole_seconds(row["auth_time"]),
        last_used_at=whole_seconds(row["last_used_at"]),
        csrf_token=row["csrf_token"],
        grants=Grants(tuple(row["scopes"]), tuple(row["roles"]), row["acr"], tuple(row["amr"])),
        provider_auth_time=None if row["provider_auth_time"] is None else whole_seconds(row["provider_auth_time"]),
        version=row["version"],
        previous_hash=row["previous_hash"],
        rotated_at=None if row["rotated_at"] is None else row["rotated_at"].timestamp(),
        sealed_replay=row["sealed_replay"],
        lease_holder=row["lease_holder"],
        lease_until=None if row["lease_until"] is None else row["lease_until"].timestamp(),
        device=row["device"],
        address=row["address"],
        issued_tokens=tuple(row["issued_tokens"]),
        audit_user=audit_user_of(row),
        tenant=None if row["status"] is None else tenant_state(row),
    )


def tenant_state(row: Row) -> TenantState:
    issuers = row["allowed_issuers"]
    return TenantState(
        row["status"],
        row["session_idle_minutes"],
        row["session_absolute_hours"],
        None if issuers is None else tuple(issuers),
    )


def session_values(session: StoredSession) -> tuple[object, ...]:
    """Return the values of `NAMES`."""
    return (
        session.id,
        session.tenant_id,
        session.user_id,
        session.issuer,
        session.secret_hash,
        session.sealed_tokens,
        moment(session.created_at),
        moment(session.expires_at),
        moment(session.auth_time),
        moment(session.last_used_at),
        session.csrf_token,
        [*session.grants.scopes],
        [*session.grants.roles],
        session.grants.acr,
        [*session.grants.amr],
        None if session.provider_auth_time is None else moment(session.provider_auth_time),
        session.device,
        session.address,
        [*session.issued_tokens],
        None if session.audit_user is None else session.audit_user.digest,
        None if session.audit_user is None else session.audit_user.encrypted,
    )


def audit_user_of(row: Row) -> StoredUser | None:
    """Return the user of a row, as the audit events of its session name it."""
    return None if row["audit_user"] is None else StoredUser(row["audit_user_digest"], row["audit_user"])
