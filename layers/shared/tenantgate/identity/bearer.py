"""The bearer token (RFC 6750 §2.1), from the Authorization header to the principal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import TokenError, TokenExpired
from tenantgate.identity.credential import split_authorization
from tenantgate.identity.principal import Principal
from tenantgate.tokens.jws import MAX_TOKEN_LENGTH
from tenantgate.tokens.keys import KeyFetchNeeded
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.records import Record
from tenantgate.tokens.roles import RoleReader
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.tokens.wiring import tenant_extractor

if TYPE_CHECKING:
    from tenantgate.revoked.snapshot import Snapshot
    from tenantgate.tokens.claims import VerifiedToken

# RFC 6750 §2.1's b64token. It has no comma, which joins several Authorization headers into one: which of them counts
# would be a guess.
_TOKEN_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
_SCHEME = "bearer"
# A context's numbers have at most 12 digits.
_LATEST_TIME = 10**12


def bearer_token(authorization: str | None) -> str:
    """The token in `Authorization: Bearer <token>`; the scheme in any case (RFC 9110 §11.1).

    Raises `AuthenticationRequired` when the header is missing, of another scheme or form, or longer than any token.
    """
    scheme, value = split_authorization(authorization)
    if scheme != _SCHEME:
        raise AuthenticationRequired("Authorization is not of the Bearer scheme")
    return _token_in(value)


def _token_in(value: str) -> str:
    token = value.strip(" ")
    if len(token) > MAX_TOKEN_LENGTH:
        raise AuthenticationRequired("the bearer token is too long", expected=MAX_TOKEN_LENGTH, actual=len(token))
    if not token or not token.isascii() or token.encode().translate(None, _TOKEN_CHARACTERS):
        raise AuthenticationRequired("Authorization holds no bearer token")
    return token


class RefusedCaller(Record):
    """The verified caller of an expired or revoked token, for audit events. It isn't a principal: it may do nothing."""

    __slots__ = ()

    tenant_id: str
    issuer: str
    user_id: str
    session_id: str | None = None


class BearerCredential:
    """The bearer token as a `Credential`."""

    scheme = _SCHEME

    def __init__(
        self, verifier: TokenVerifier, policy: TokenPolicy, *, revocations: Callable[[], Snapshot] | None = None
    ) -> None:
        """Take a verifier, and the policy from which it was built.

        `revocations` returns the current ones, or raises `RevocationUnknown`; by default nothing counts as revoked.
        """
        self._verifier = verifier
        self._revocations = revocations
        self._leeway = policy.leeway_seconds
        self._tenants = tenant_extractor(policy)
        self._roles = RoleReader(policy.role_claim_names, policy.issuers)

    def authenticate(self, value: str, *, fetch: bool = True) -> Principal:
        """Return the token's principal. Raises `AuthenticationRequired`, and the errors of `principal`."""
        return self.principal(_token_in(value), fetch=fetch)

    def principal(self, token: str, *, fetch: bool = True) -> Principal:
        """Verify the token and return its principal.

        Raises the errors of `TokenVerifier.verify`, `TenantExtractor.tenant_of` and `Snapshot.require_token`, and
        `RevocationUnknown`.
        """
        try:
            principal, verified = self.verify(token, fetch=fetch)
        except TokenExpired as expired:
            self.name_caller(expired, token, self._revocations)
            raise
        if self._revocations is not None:
            self.require_unrevoked(verified, principal.tenant_id, token, self._revocations())
        return principal

    def verify(self, token: str, *, fetch: bool = True) -> tuple[Principal, VerifiedToken]:
        """Verify the token without its revocation, which `require_unrevoked` judges. Raises as `principal` does."""
        verified = self._verifier.verify(token, fetch=fetch)
        issuer, claims = verified.issuer, verified.claims
        tenant_id = self._tenants.tenant_of(claims)
        roles, claims = self._roles.read(claims, issuer=issuer, tenant_id=tenant_id)
        scopes, expires_at = verified.scopes, verified.expires_at
        auth_time = _auth_time(claims)
        principal = Principal(
            verified.subject, tenant_id, issuer, scopes, expires_at, "bearer", claims, roles, None, auth_time
        )
        return principal, verified

    def require_unrevoked(self, verified: VerifiedToken, tenant_id: str, token: str, revocations: Snapshot) -> None:
        """Raise the errors of `Snapshot.require_token`. `token`: as it was sent."""
        # Imported here: an authorizer without Valkey knows no revocations. At every use: the verifier remembers tokens.
        from tenantgate.identity.presented import presented_token  # noqa: PLC0415

        presented = presented_token(verified, tenant_id=tenant_id, token=token)
        try:
            revocations.require_token(presented, leeway=self._leeway)
        except TokenError as refused:
            # The thief of a key, for which it was revoked, could name any tenant.
            if refused.private.get("actual") != "kid":
                refused.caller = RefusedCaller(tenant_id, verified.issuer, verified.subject)
            raise

    def name_caller(self, expired: TokenExpired, token: str, revocations: Callable[[], Snapshot] | None) -> None:
        """Set the caller of an expired token, unless its key is revoked or its tenant is refused. Never raises.

        `revocations` returns the current ones, or raises `RevocationUnknown`; None: nothing counts as revoked.
        """
        try:
            verified = self._verifier.verify(token, fetch=False, allow_expired=True)
            tenant_id = self._tenants.tenant_of(verified.claims)
            if revocations is not None:
                revocations().require_issued(tenant_id, verified.issuer, verified.kid)
        except (TenantgateError, KeyFetchNeeded):
            return
        expired.caller = RefusedCaller(tenant_id, verified.issuer, verified.subject)


def _auth_time(claims: Mapping[str, object]) -> int | None:
    """Return the claim, if it is a time. A rule that needs it reads the claim itself, and denies any other value."""
    value = claims.get("auth_time")
    return value if type(value) is int and 0 <= value < _LATEST_TIME else None
