"""Rejected tokens, and failures to fetch the keys and metadata that verification needs.

TenantgateError
├── TokenError                  a rejected bearer token
│   ├── MalformedToken, AlgorithmNotAllowed, UnsupportedHeader, UnknownKey, InvalidSignature,
│   │   WrongTokenType, MissingClaim, InvalidClaim, WrongIssuer, WrongAudience, NotYetValid,
│   │   IssuedInFuture, LifetimeTooLong                                     AUTH_004
│   ├── TokenExpired                                                        AUTH_003
│   └── TenantMissing, TenantMalformed, TenantNotAllowed                    AUTH_005
├── IdTokenRefused                                                          AUTH_008
├── ProviderUnreachable, ProviderTimeout                                    SYS_004
└── Overloaded                                                              SYS_010
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.errors.base import Detail, TenantgateError, register

if TYPE_CHECKING:
    from typing import ClassVar, Self

AUTH_003 = register(
    "AUTH_003",
    401,
    "The token has expired",
    cause="`exp` is past, the clock-skew leeway included.",
    remedy="Sign in again, or refresh the token, and repeat the request.",
)


AUTH_004 = register(
    "AUTH_004",
    401,
    "The token is not valid",
    cause="Signature, algorithm, issuer, audience, type, lifetime, `nbf` or form of the token is wrong.",
    remedy="Send an access token of the configured issuer and audience; the log line under the request id names the "
    "check that failed.",
)


AUTH_005 = register(
    "AUTH_005",
    403,
    "The token names no valid tenant",
    cause="None of the claims in `JWT_TENANT_CLAIM_NAME` is present, its value doesn't match `TENANT_ID_PATTERN`, "
    "or the issuer's entry in `TRUSTED_ISSUERS` doesn't list that tenant. At a sign-in or refresh also: the tenant is "
    "suspended, doesn't allow the issuer, or isn't registered while `TENANT_REGISTRATION` is `closed`.",
    remedy="Have the provider put the tenant into the access token under one of these claim names. Operators: "
    "`tenantgate tenants show ID` prints the tenant's status (docs/OPERATIONS.md).",
)


AUTH_008 = register(
    "AUTH_008",
    400,
    "The provider's ID token was refused",
    cause="The ID token's signature, issuer, audience, `nonce`, `at_hash`, `azp`, `sub` or times are wrong.",
    remedy="Start again; if it stays, compare `OIDC_ISSUER_URL` and `OIDC_CLIENT_ID` with the provider's settings.",
)


SYS_004 = register(
    "SYS_004",
    502,
    "The identity provider can't be reached",
    cause="The provider refused the connection, responded with an invalid document (502) or too slowly (504).",
    remedy="Try again shortly. Operators: check `OIDC_ISSUER_URL` and the network's way out.",
)


SYS_010 = register(
    "SYS_010",
    503,
    "Too many requests are waiting",
    cause="The server is overloaded, or as many requests as are allowed wait for the keys or the metadata of one "
    "identity provider, which doesn't respond.",
    remedy="Try again after the seconds in `Retry-After`. Operators: the log names the provider.",
)


class TokenError(TenantgateError):
    """A rejected bearer token. The subclass tells which check failed."""

    error = AUTH_004
    challenge_error: ClassVar[str | None] = "invalid_token"
    audited = True


class MalformedToken(TokenError):
    """The token isn't a compact JWS of a JSON object within the size limits (RFC 7515 §3.1, §5.2)."""


class AlgorithmNotAllowed(TokenError):
    """`alg` is not on the issuer's allow-list, or doesn't fit the key (RFC 8725 §3.1, §3.2)."""


class UnsupportedHeader(TokenError):
    """The header has a member that must be understood or must not be trusted: `crit`, `b64`, `jwk`, `cty: JWT`."""


class UnknownKey(TokenError):
    """The issuer publishes no key that fits the header."""


class InvalidSignature(TokenError):
    """The signature doesn't verify."""


class WrongTokenType(TokenError):
    """An ID token, a logout token or another kind of token offered as an access token, or one that might be.

    RFC 8725 §3.11, §3.12, RFC 9068 §4.
    """


class MissingClaim(TokenError):
    """A required claim is absent."""


class InvalidClaim(TokenError):
    """A claim has the wrong type or form."""


class WrongIssuer(TokenError):
    """`iss` is not a trusted issuer."""


class WrongAudience(TokenError):
    """The token is for another audience."""


class NotYetValid(TokenError):
    """`nbf` is in the future, the leeway included."""


class IssuedInFuture(TokenError):
    """`iat` is in the future, the leeway included."""


class LifetimeTooLong(TokenError):
    """`exp` - `iat` is more than `JWT_MAX_LIFETIME_MINUTES`."""


class TokenExpired(TokenError):
    """`exp` is past, the leeway included. Everything else about the token is right."""

    error = AUTH_003


class TenantMissing(TokenError):
    """No claim for the tenant is present. The token is valid: a challenge for another one wouldn't help."""

    error = AUTH_005
    challenge_error = None


class TenantMalformed(TokenError):
    """The claim for the tenant doesn't match `TENANT_ID_PATTERN`."""

    error = AUTH_005
    challenge_error = None


class TenantNotAllowed(TokenError):
    """The issuer may not issue tokens for this tenant."""

    error = AUTH_005
    challenge_error = None
    security_event = "TENANT_REFUSED"


class IdTokenRefused(TenantgateError):
    """A check of the login provider's ID token failed; `private` names it."""

    error = AUTH_008

    @classmethod
    def of(cls, rejection: TokenError) -> Self:
        """Return the error for an ID token that a check rejected."""
        refused = cls(rejection.reason)
        refused.private = {"check": type(rejection).__name__, **rejection.private}
        return refused


class ProviderUnreachable(TenantgateError):
    """An identity provider didn't send what was fetched."""

    error = SYS_004


class ProviderTimeout(ProviderUnreachable):
    """An identity provider took too long."""

    status = 504


class Overloaded(TenantgateError):
    """The request was rejected before any work for it; `retry_after` is in whole seconds."""

    error = SYS_010

    def __init__(self, reason: str = "", *, retry_after: int, detail: Detail = None, **private: object) -> None:
        super().__init__(reason, detail=detail, **private)
        self.retry_after = retry_after
