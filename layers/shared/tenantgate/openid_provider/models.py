"""The built-in provider's client, users, authorization codes, refresh tokens, browser sessions and signing keys.

Times are whole seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tenantgate.crypto.comparison import same_text
from tenantgate.crypto.opaque import OpaqueKind

type SigningAlgorithm = Literal["RS256", "ES256"]

SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("RS256", "ES256")
DEFAULT_ALGORITHM: SigningAlgorithm = "RS256"
# The scopes of OpenID Connect Core §5.4, which every user may have.
SUPPORTED_SCOPES = ("openid", "profile", "email", "address", "phone")
# Requests a refresh token (OpenID Connect Core §11). It grants nothing at an API, so access tokens don't have it.
OFFLINE_ACCESS = "offline_access"
_SIGN_IN_SCOPES = (*SUPPORTED_SCOPES, OFFLINE_ACCESS)

CODE_LIFETIME_SECONDS = 60
TOKEN_LIFETIME_SECONDS = 60 * 60
FORM_LIFETIME_SECONDS = 10 * 60
BROWSER_SESSION_LIFETIME_SECONDS = 8 * 60 * 60
# A refresh token that isn't used for a day expires. All that follow from one sign-in end after a month.
REFRESH_TOKEN_IDLE_SECONDS = 24 * 60 * 60
REFRESH_TOKEN_LIFETIME_SECONDS = 30 * 24 * 60 * 60

# The database holds only the digests of these secrets.
CODES = OpaqueKind()
BROWSER_SESSIONS = OpaqueKind()
REFRESH_TOKENS = OpaqueKind(prefix="tgrefresh_")


def token_lifetime(longest_accepted: int) -> int:
    """Return the lifetime of tokens, in seconds: an hour, or less if this stack accepts only shorter ones."""
    return min(TOKEN_LIFETIME_SECONDS, longest_accepted)


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in. `claims`: the standard claims of OpenID Connect Core §5.1.

    `roles`: those in every access token of the user. `scopes`: those of APIs that the user may grant.
    """

    id: str
    tenant_id: str
    claims: Mapping[str, object] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    def allowed_scope(self, scope: str) -> str:
        """Return the part of a space-separated scope that this user may grant."""
        return " ".join(name for name in scope.split() if name in _SIGN_IN_SCOPES or name in self.scopes)


@dataclass(frozen=True, slots=True)
class Client:
    """The relying party, with the methods that authlib's server calls on a client (RFC 6749 §2).

    It is confidential and first-party: it authenticates with its secret, and needs no consent of the user. It may ask
    for `api_scopes` in addition to those of OpenID Connect; each user grants only their own.
    """

    client_id: str
    client_secret: str = field(repr=False)
    allows_redirect: Callable[[str], bool]
    allows_post_logout_redirect: Callable[[str], bool]
    backchannel_logout_uri: str
    id_token_signed_response_alg: SigningAlgorithm = DEFAULT_ALGORITHM
    token_lifetime_seconds: int = TOKEN_LIFETIME_SECONDS
    api_scopes: tuple[str, ...] = ()

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return the requested scopes that are supported, in their own order; None if none is (§3.1.2.1)."""
        requested = (scope or "").split()
        return " ".join(known for known in (*_SIGN_IN_SCOPES, *self.api_scopes) if known in requested) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return self.allows_redirect(redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        return same_text(client_secret, self.client_secret)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A browser that is signed in at the provider. Tokens carry `sid`. `digest`: of the cookie (32 bytes)."""

    digest: bytes
    sid: str
    tenant_id: str
    user_id: str
    auth_time: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """An authorization code, with the methods that authlib's grants call on one. `digest`: of the code (32 bytes)."""

    digest: bytes
    client_id: str
    redirect_uri: str
    scope: str
    tenant_id: str
    user_id: str
    sid: str
    auth_time: int
    code_challenge: str
    nonce: str | None
    expires_at: int

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> list[str]:
        return ["pwd"]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The latest refresh token of a sign-in, with the methods that authlib's grant calls on one.

    Each use replaces it by another of the same family, which `family_id` (a UUID) names. `digest`: of the token;
    `code_digest`: of the code that began the family (32 bytes each). `expires_at`: the end of this token unless it is
    used; `ends_at`: the end of the family.
    """

    family_id: str
    digest: bytes
    code_digest: bytes
    client_id: str
    scope: str
    tenant_id: str
    user_id: str
    sid: str
    auth_time: int
    expires_at: int
    ends_at: int

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        return self.scope

    def get_amr(self) -> list[str]:
        return ["pwd"]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key at rest: its private JWK is sealed."""

    kid: str
    algorithm: SigningAlgorithm
    sealed_jwk: str


@dataclass(frozen=True, slots=True)
class ProtocolResponse:
    """A response of a protocol endpoint, whose status, headers and body OAuth and OpenID Connect define.

    `body` is a JSON object, or None for an empty body. `location` is the target of a redirect, or None.
    """

    status: int
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    location: str | None = None


type Parameters = Mapping[str, str]
