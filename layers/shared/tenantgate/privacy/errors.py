"""Errors of personal data.

TenantgateError
├── CursorRefused       AUTH_120
└── StepUpRequired      AUTH_011, in `errors/access.py`
"""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

AUTH_120 = register(
    "AUTH_120",
    400,
    "The cursor of the export isn't valid",
    cause="The cursor was changed, is older than an hour, or belongs to another user or tenant.",
    remedy="Begin the export again, without a cursor.",
)


class CursorRefused(TenantgateError):
    """The cursor doesn't open for this user, or is too old."""

    error = AUTH_120
