"""Errors of sessions. That a session has ended is in `errors/access.py`, because the authorizer says it too.

TenantgateError
├── NoRefreshToken          AUTH_022
├── SecretReused            AUTH_023
└── CacheUnavailable        SYS_005, in `errors/cache.py`
    └── EndedOnlyInPart
"""

from __future__ import annotations

from collections.abc import Sequence

from tenantgate.errors.base import TenantgateError, register
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.sessions.models import StoredSession

AUTH_022 = register(
    "AUTH_022",
    401,
    "The provider gave no refresh token",
    cause="The session is live, but the provider issued no refresh token at the sign-in, and no other token renews an "
    "access token.",
    remedy="Add `offline_access` to `OIDC_SCOPES` and allow it for the client at the provider "
    "(docs/AUTH_CONFIGURATION.md says how for each provider), then sign in again. The session cookie itself stays "
    "good.",
)


AUTH_023 = register(
    "AUTH_023",
    401,
    "An earlier secret of the session was used",
    cause="A session cookie that a refresh had replaced was sent again: two clients have copies of one session, and "
    "one of them may be a thief's. The session has ended for both.",
    remedy="Sign in again at `GET /api/v1/auth/login`.",
)


class NoRefreshToken(TenantgateError):
    """The session has no refresh token, so it can't get a new access token."""

    error = AUTH_022
    challenge_error = ""


class SecretReused(TenantgateError):
    """An earlier secret of a session was used after its grace. The session has ended."""

    error = AUTH_023
    challenge_error = ""


class EndedOnlyInPart(CacheUnavailable):
    """Sessions have ended in PostgreSQL, but Valkey doesn't know it yet: the authorizer may accept their cookies and
    tokens until its list of revocations is too old. `ended` are the sessions."""

    def __init__(self, ended: Sequence[StoredSession], cause: TenantgateError) -> None:
        super().__init__(
            cause.reason,
            detail="The session has ended, but not yet everywhere: APIs may accept its cookie and its tokens for some"
            " seconds. Send the request again to learn when it has.",
            **cause.private,
        )
        self.ended = ended
