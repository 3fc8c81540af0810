"""Errors of encryption at rest.

TenantgateError
├── KeyServiceUnavailable   SYS_009
└── InternalError           SYS_003
    └── EnvelopeBroken
        └── KeyDestroyed
"""

from __future__ import annotations

from tenantgate.errors.base import InternalError, TenantgateError, register

SYS_009 = register(
    "SYS_009",
    503,
    "The key service is unavailable",
    cause="Data at rest needs a data key that isn't in memory, and the key-encryption key that wraps it can't be used: "
    "AWS KMS is unreachable or refuses, or the key was removed from `KEY_ENCRYPTION_KEYS`.",
    remedy="Try again shortly. Signing out and revoking work meanwhile. Operators: `tenantgate doctor` checks the "
    "key-encryption key (docs/OPERATIONS.md).",
)


class KeyServiceUnavailable(TenantgateError):
    """A data key isn't in memory, and the key-encryption key can't be used now."""

    error = SYS_009
    retry_after = 5


class EnvelopeBroken(InternalError):
    """The ciphertext wasn't made with this owner's keys for this place, or it or its data key was changed."""


class KeyDestroyed(EnvelopeBroken):
    """The data key that the ciphertext names was destroyed, or never existed for this owner: it never opens again."""
