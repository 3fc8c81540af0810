"""Errors of received security events.

TenantgateError
└── SecurityEventRefused            AUTH_130
    ├── UnsupportedSubject
    ├── ForeignSubject
    └── AlreadyReceived
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from tenantgate.errors.base import TenantgateError, register
from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidSignature,
    TokenError,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
)

type DeliveryError = Literal[
    "invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"
]

AUTH_130 = register(
    "AUTH_130",
    400,
    "The security event token was refused",
    cause="Its form, signature, issuer, audience, age or subject is wrong, or it was received before.",
    remedy="The log line `SECURITY_EVENT_REFUSED` names the check. docs/SECURITY_EVENTS.md has the issuer's settings.",
)

# RFC 8935 §2.4 has no code for a token whose form or claims are wrong but `invalid_request`.
_ERRORS: Mapping[type[TokenError], tuple[DeliveryError, str]] = {
    UnknownKey: ("invalid_key", "The issuer publishes no such key."),
    AlgorithmNotAllowed: ("invalid_key", "The algorithm is not accepted."),
    InvalidSignature: ("authentication_failed", "The signature does not verify."),
    WrongIssuer: ("invalid_issuer", "No events are accepted from this issuer."),
    TokenRevoked: ("invalid_key", "The key is revoked."),
    WrongAudience: ("invalid_audience", "The event is for another audience."),
}


class SecurityEventRefused(TenantgateError):
    """A security event token that isn't acted on. `err` and `description`: RFC 8935 §2.4."""

    error = AUTH_130
    err: DeliveryError = "invalid_request"
    description = "The body is not a valid security event token."

    @classmethod
    def of(cls, rejection: TokenError) -> Self:
        """Return the error for a token that verification rejected."""
        refused = cls(rejection.reason)
        refused.private = {"check": type(rejection), **rejection.private}
        refused.err, refused.description = _ERRORS.get(type(rejection), (cls.err, cls.description))
        return refused


class UnsupportedSubject(SecurityEventRefused):
    """`sub_id` has a format that isn't supported, or isn't of its format (RFC 9493 §3)."""

    description = "sub_id is missing, malformed, or of a format that is not supported."


class ForeignSubject(SecurityEventRefused):
    """The issuer names a subject of another issuer, or a tenant that it isn't bound to."""

    err = "access_denied"
    description = "The issuer may not send events about this subject."


class AlreadyReceived(SecurityEventRefused):
    """A token with this `jti` was acted on before."""

    description = "A token with this jti was received before."


def shown_type(event_type: str) -> str:
    """Return an event's type for the log: its last part, if it has only letters and dashes."""
    name = event_type.rpartition("/")[2]
    return name if name.replace("-", "").isalpha() and name.isascii() and len(name) <= 64 else "other"
