"""Sessions, in memory and at rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True, repr=False)
class SessionTokens:
    """The provider's tokens.

    They never leave the server, except that on a local development stack the home page shows the access token. This
    class has no repr that could show them in a log.
    """

    access_token: str
    id_token: str
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session with its tokens opened. Times are whole epoch seconds."""

    id: UUID
    tenant_id: str
    user_id: str
    issuer: str
    created_at: int
    expires_at: int
    tokens: SessionTokens


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A new session and its secret, which is not stored."""

    secret: str = field(repr=False)
    session: Session


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session at rest.

    `secret_hash`: the secret's digest (32 bytes). `sealed_tokens`: opens with the id's bytes as context.
    """

    id: UUID
    tenant_id: str
    user_id: str
    issuer: str
    secret_hash: bytes
    sealed_tokens: str
    created_at: int
    expires_at: int
