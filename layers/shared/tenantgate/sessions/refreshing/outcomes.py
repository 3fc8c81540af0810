"""The outcomes of a refresh, for the response."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError
from tenantgate.sessions.cache import csrf_text
from tenantgate.sessions.models import SessionPolicy, StoredSession
from tenantgate.sessions.refreshing.models import Refreshed, RefreshOutcome


def succeeded(
    session: StoredSession, access_token: str, secret: str, *, expires_at: int, policy: SessionPolicy, now: int
) -> RefreshOutcome:
    """Return the outcome with the result. `expires_at`: of the access token."""
    refreshed = Refreshed(
        access_token=access_token,
        expires_in=max(0, expires_at - now),
        secret=secret,
        lifetime=max(0, session.ends_at(policy) - now),
    )
    return RefreshOutcome(csrf_text(session.csrf_token), refreshed)


def failed(session: StoredSession, error: TenantgateError, *, retry_after: int | None = None) -> RefreshOutcome:
    """Return the outcome of a session that stays, with the error."""
    if retry_after is not None:
        error.retry_after = retry_after
    return RefreshOutcome(csrf_text(session.csrf_token), error)
