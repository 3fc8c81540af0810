"""Revoked credentials, and the failure to find out whether one is revoked."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register
from tenantgate.errors.tokens import TokenError

SYS_011 = register(
    "SYS_011",
    503,
    "It can't be determined what is revoked",
    cause="The list of revocations is older than the bound within which a revocation takes effect, so that a revoked "
    "credential could be accepted: PostgreSQL, Valkey or the republisher is down.",
    remedy="Try again shortly. Operators: see `checks.revocation` of the readiness check (docs/OPERATIONS.md).",
)

AUTH_030 = register(
    "AUTH_030",
    401,
    "The token is revoked",
    cause="The user signed out, or an operator or the identity provider revoked the token, its user, client or tenant, "
    "or the key that signed it.",
    remedy="Sign in again. A user whose access was revoked needs a new token that was issued later.",
)


class RevocationUnknown(TenantgateError):
    """No list of revocations that is recent enough."""

    error = SYS_011
    retry_after = 1


class TokenRevoked(TokenError):
    """The token, its user, client or tenant, or the key that signed it is revoked."""

    error = AUTH_030
