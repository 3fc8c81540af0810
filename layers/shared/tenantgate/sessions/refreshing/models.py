"""The values of a refresh. Times are epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

from tenantgate.errors.base import TenantgateError
from tenantgate.identity.principal import Principal
from tenantgate.sessions.models import SessionTokens, StoredSession
from tenantgate.sessions.storing.tokens import TokenWriter

# `lost`: another caller took the lease over. `ended`: the session is gone.
type Rotation = Literal["stored", "lost", "ended"]


class Claim(NamedTuple):
    """A reading of a session. `is_taken`: the reader now holds its lease, and no other caller may ask the provider."""

    session: StoredSession
    is_taken: bool


class Held(NamedTuple):
    """A session whose lease this caller holds, with its tokens opened. `read_at`: just before PostgreSQL was read.

    `ends`: the moment of the monotonic clock at which the caller must respond.
    """

    session: StoredSession
    read_at: float
    ends: float
    holder: UUID
    tokens: SessionTokens
    writer: TokenWriter


@dataclass(frozen=True, slots=True)
class Redeemed[Response]:
    """The provider's new tokens, not yet verified. `response`: what the provider's side needs to verify them."""

    tokens: SessionTokens
    response: Response = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """New tokens that passed every check. `expires_at`: of the access token. `acr`, `amr`: None if not stated again."""

    principal: Principal
    expires_at: int
    acr: str | None = None
    amr: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh's result. `expires_in`: of the access token. `secret`: the cookie's, for `lifetime` seconds at most."""

    access_token: str = field(repr=False)
    expires_in: int
    secret: str = field(repr=False)
    lifetime: int


@dataclass(frozen=True, slots=True)
class RefreshOutcome:
    """The outcome of a session that is still live: its CSRF token, and the result, or the reason why it is missing."""

    csrf_token: str = field(repr=False)
    result: Refreshed | TenantgateError = field(repr=False)

    def require(self) -> Refreshed:
        """Return the result, or raise the error."""
        if isinstance(self.result, Refreshed):
            return self.result
        raise self.result
