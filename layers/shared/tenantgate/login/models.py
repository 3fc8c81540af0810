"""The values of the login package: without HTTP, and without secrets in their repr."""

from __future__ import annotations

from dataclasses import dataclass, field

from tenantgate.identity.principal import Principal
from tenantgate.tokens.verifier import VerifiedToken


@dataclass(frozen=True, slots=True)
class TransactionCookie:
    """One sealed sign-in attempt, which the browser keeps for `max_age` seconds."""

    name: str
    value: str = field(repr=False)
    max_age: int


@dataclass(frozen=True, slots=True)
class LoginStarted:
    """Send the browser to `authorization_url`, set `cookie`, and clear each of `stale_cookies` (names)."""

    authorization_url: str = field(repr=False)
    cookie: TransactionCookie
    stale_cookies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """The provider's authorization response (RFC 6749 §4.1.2, RFC 9207 §2), unchanged. Nothing in it is trusted.

    `is_ambiguous`: a parameter came more than once, which RFC 6749 §3.1 forbids. Two readers of such a URL may use
    different values.
    """

    state: str | None
    code: str | None = field(default=None, repr=False)
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None
    is_ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """The token endpoint's response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). Parsed, but not verified."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None


@dataclass(frozen=True, slots=True)
class RenewedTokens:
    """The token endpoint's response to a refresh (RFC 6749 §6). Parsed, but not verified.

    Without an `id_token` or a `refresh_token`, the one before stays in use.
    """

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None


@dataclass(frozen=True, slots=True)
class VerifiedSignIn:
    """A sign-in that passed every check. `expires_in`: seconds until the access token expires."""

    principal: Principal
    id_token: VerifiedToken
    tokens: ProviderTokens
    expires_in: int
    return_to: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A completed sign-in, with its session started.

    `expires_in`: seconds until the access token expires. `session_secret`: the value of the session cookie, valid for
    `session_lifetime` seconds at most. `csrf_token`: the session's. `attempt_cookie`: the name of the attempt's cookie,
    which is no longer needed.
    """

    access_token: str = field(repr=False)
    expires_in: int
    return_to: str
    session_secret: str = field(repr=False)
    session_lifetime: int
    csrf_token: str = field(repr=False)
    attempt_cookie: str
