"""What a failure is here: the registry of codes, the root of the exceptions, and the one shape they are told in.

And the failures of verifying and deciding; those of services are in `service_errors.py`, which spares the authorizer a
twentieth of its cold start.

    TenantgateError
    ├── TokenError                  a bearer token that is refused
    │   ├── MalformedToken, AlgorithmNotAllowed, UnsupportedHeader, UnknownKey, InvalidSignature,
    │   │   WrongTokenType, MissingClaim, InvalidClaim, WrongIssuer, WrongAudience, NotYetValid,
    │   │   IssuedInFuture, LifetimeTooLong                                     AUTH_004
    │   ├── TokenExpired                                                        AUTH_003
    │   └── TenantMissing, TenantMalformed, TenantNotAllowed                    AUTH_005
    ├── AuthenticationRequired      AUTH_007        IdTokenRefused              AUTH_008
    ├── InsufficientScope           AUTH_010        StepUpRequired              AUTH_011
    ├── InternalError               SYS_003
    └── ProviderUnreachable, ProviderTimeout                                    SYS_004

What is logged and what is told are apart: `detail` reaches the caller, `private` only the log.
Imports nothing but the standard library, because the authorizer imports this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import ClassVar

type Detail = str | Mapping[str, object] | list[Mapping[str, object]] | None


class Word(str):
    """A word of our own, of a closed vocabulary: an error code, a kind, the name of a check.

    A log repeats it even where a caller sent the same one.
    """

    __slots__ = ()


# Neither a dataclass nor a named tuple: what they cost an import, the authorizer pays at each cold start.
class ErrorCode:
    """One row of the registry. `message` is told to callers; `cause` and `remedy` are for the documentation."""

    __slots__ = ("cause", "code", "message", "remedy", "status")

    def __init__(self, code: str, status: int, message: str, cause: str, remedy: str) -> None:
        self.code = Word(code)
        self.status = status
        self.message = message
        self.cause = cause
        self.remedy = remedy


# By code; whole once `service_errors.py` is imported too.
REGISTRY: dict[str, ErrorCode] = {}


def register(code: str, status: int, message: str, *, cause: str, remedy: str) -> ErrorCode:
    """Put a new row into the registry."""
    if code in REGISTRY:
        raise ValueError(f"error code {code} is registered twice")
    REGISTRY[code] = ErrorCode(code, status, message, cause, remedy)
    return REGISTRY[code]


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
    "or the issuer's entry in `TRUSTED_ISSUERS` doesn't list that tenant.",
    remedy="Have the provider put the tenant into the access token under one of these claim names.",
)
AUTH_007 = register(
    "AUTH_007",
    401,
    "Authentication is required",
    cause="The request carries no credential, or one in a form that is not understood.",
    remedy="Send `Authorization: Bearer <access token>`.",
)
AUTH_008 = register(
    "AUTH_008",
    400,
    "The provider's ID token was refused",
    cause="The ID token's signature, issuer, audience, `nonce`, `at_hash`, `azp`, `sub` or times are wrong.",
    remedy="Start again; if it stays, compare `OIDC_ISSUER_URL` and `OIDC_CLIENT_ID` with the provider's settings.",
)
AUTH_010 = register(
    "AUTH_010",
    403,
    "The credential doesn't allow this",
    cause="No route rule covers the request, the path can be read in more than one way, or a rule asks for a scope, a "
    "role or an issuer that the caller lacks.",
    remedy="Ask for a token with the scope that the challenge names (RFC 6750 §3.1), or have the role given; API "
    "owners compare the file in `ROUTE_RULES_FILE`: `tenantgate rules check`.",
)
AUTH_011 = register(
    "AUTH_011",
    401,
    "A stronger or more recent sign-in is required",
    cause="The route's rule asks for an `acr` or a maximum authentication age that the token doesn't meet (RFC 9470).",
    remedy="Sign in again with the challenge's `acr_values` and `max_age`. Behind an HTTP API's authorizer, which "
    "controls no header, this is a plain 403.",
)
SYS_003 = register(
    "SYS_003",
    500,
    "Something went wrong on our side",
    cause="An error that nobody foresaw.",
    remedy="Try again; if it stays, report `error.request_id`.",
)
SYS_004 = register(
    "SYS_004",
    502,
    "The identity provider can't be reached",
    cause="The provider refused the connection, answered nonsense (502) or too slowly (504).",
    remedy="Try again shortly. Operators: check `OIDC_ISSUER_URL` and the network's way out.",
)


class TenantgateError(Exception):
    """A failure with a code of the registry.

    `detail` is told to the caller. `private` (expected and actual values and the like) goes to the log alone, through
    redaction, and is shown to callers in development only.
    """

    error: ClassVar[ErrorCode] = SYS_003
    status: ClassVar[int | None] = None
    # Seconds after which the same request may succeed; sent as `Retry-After` (RFC 9110 §10.2.3).
    retry_after: int | None = None

    def __init__(self, reason: str = "", *, detail: Detail = None, **private: object) -> None:
        super().__init__(reason or self.error.message)
        self.reason = reason
        self.detail = detail
        self.private = private

    @property
    def http_status(self) -> int:
        return self.status or self.error.status


class TokenError(TenantgateError):
    """A bearer token was refused. The subclass says which check failed."""

    error = AUTH_004


class MalformedToken(TokenError):
    """Not a compact JWS of a JSON object within the size limits (RFC 7515 §3.1, §5.2)."""


class AlgorithmNotAllowed(TokenError):
    """`alg` is not on the issuer's allow-list, or doesn't fit the key (RFC 8725 §3.1, §3.2)."""


class UnsupportedHeader(TokenError):
    """The header asks for what must be understood or must not be trusted: `crit`, `b64`, `jwk`, `cty: JWT`."""


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
    """The token is meant for somebody else."""


class NotYetValid(TokenError):
    """`nbf` is in the future, the leeway included."""


class IssuedInFuture(TokenError):
    """`iat` is in the future, the leeway included."""


class LifetimeTooLong(TokenError):
    """`exp` - `iat` is more than `JWT_MAX_LIFETIME_MINUTES`."""


class TokenExpired(TokenError):
    error = AUTH_003


class TenantMissing(TokenError):
    error = AUTH_005


class TenantMalformed(TokenError):
    error = AUTH_005


class TenantNotAllowed(TokenError):
    """The issuer may not speak for this tenant."""

    error = AUTH_005


class AuthenticationRequired(TenantgateError):
    error = AUTH_007


class IdTokenRefused(TenantgateError):
    error = AUTH_008


class InsufficientScope(TenantgateError):
    """The caller is known, but the route's rule asks for more, or there is no rule. `scope`: what would do."""

    error = AUTH_010

    def __init__(self, reason: str = "", *, scope: str = "", detail: Detail = None, **private: object) -> None:
        super().__init__(reason, detail=detail, **private)
        self.scope = scope


class StepUpRequired(TenantgateError):
    """The sign-in behind the token is too weak or too old (RFC 9470 §3)."""

    error = AUTH_011

    def __init__(
        self,
        reason: str = "",
        *,
        acr_values: str = "",
        max_age: int | None = None,
        detail: Detail = None,
        **private: object,
    ) -> None:
        super().__init__(reason, detail=detail, **private)
        self.acr_values = acr_values
        self.max_age = max_age


class InternalError(TenantgateError):
    error = SYS_003


class ProviderUnreachable(TenantgateError):
    error = SYS_004


class ProviderTimeout(ProviderUnreachable):
    status = 504


def error_body(error: TenantgateError, *, request_id: str) -> dict[str, object]:
    """Render the one shape: `{"error": {"code", "message", "detail", "request_id"}}`."""
    told = {"code": error.error.code, "message": error.error.message, "detail": error.detail, "request_id": request_id}
    return {"error": told}
