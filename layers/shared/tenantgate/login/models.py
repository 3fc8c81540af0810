"""What the login package hands in and out: plain values, no HTTP and no secrets in their text form."""

from __future__ import annotations

from dataclasses import dataclass, field

from tenantgate.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class TransactionCookie:
    """One sign-in attempt, sealed, to be kept by the browser for `max_age` seconds."""

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
    """The provider's authorization response (RFC 6749 §4.1.2, RFC 9207 §2), as it came; nothing in it is trusted.

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
    """The token endpoint's answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3), its form checked, nothing verified."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None


@dataclass(frozen=True, slots=True)
class VerifiedSignIn:
    """A sign-in that passed every check. `expires_in`: seconds that the access token is still good for."""

    principal: Principal
    tokens: ProviderTokens
    expires_in: int
    return_to: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A completed sign-in, with its session started.

    `expires_in`: seconds that the access token is still good for. `session_secret`: the value of the session's cookie,
    good for `session_lifetime` seconds. `attempt_cookie`: the name of the attempt's cookie, no longer needed.
    """

    access_token: str = field(repr=False)
    expires_in: int
    return_to: str
    session_secret: str = field(repr=False)
    session_lifetime: int
    attempt_cookie: str
