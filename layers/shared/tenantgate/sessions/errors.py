"""Errors of sessions."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

AUTH_020 = register(
    "AUTH_020",
    401,
    "The session has ended",
    cause="The session expired, was ended by a sign-out, or never existed.",
    remedy="Sign in again at `GET /api/v1/auth/login`.",
)


class SessionEnded(TenantgateError):
    """The secret belongs to no live session."""

    error = AUTH_020
    challenge_error = ""
