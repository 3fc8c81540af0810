"""Errors of reading secrets."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

SYS_002 = register(
    "SYS_002",
    503,
    "A required secret is unavailable",
    cause="Secrets Manager can't be reached, or the secret lacks a member, and no usable value is in memory.",
    remedy="Operators: check `AWS_SECRETS_MANAGER_SECRET_ID`, the function's role, and the secret's members.",
)


class SecretsUnavailable(TenantgateError):
    """A secret has no usable value in memory."""

    error = SYS_002
    retry_after = 5


class SecretMissing(SecretsUnavailable):
    """The secrets were read, and this one isn't among them."""
