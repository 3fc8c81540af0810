"""Every failure that a caller can see: the registry of codes, the exception tree, and the one shape they are told in.

    TenantgateError
    ├── TokenError                  a bearer token that is refused
    │   ├── MalformedToken, AlgorithmNotAllowed, UnsupportedHeader, UnknownKey, InvalidSignature,
    │   │   WrongTokenType, MissingClaim, InvalidClaim, WrongIssuer, WrongAudience, NotYetValid,
    │   │   IssuedInFuture, LifetimeTooLong                                     AUTH_004
    │   ├── TokenExpired                                                        AUTH_003
    │   └── TenantMissing, TenantMalformed, TenantNotAllowed                    AUTH_005
    ├── AuthenticationRequired                                                  AUTH_007
    ├── InvalidAuthorizationCode    AUTH_001        StateMismatch               AUTH_002
    ├── RedirectNotAllowed          AUTH_006        IdTokenRefused              AUTH_008
    ├── AccessTokenUnusable         AUTH_009
    ├── InsufficientScope           AUTH_010        StepUpRequired              AUTH_011
    ├── SessionEnded                AUTH_020        CrossSiteRequest            AUTH_021
    ├── AuthorizationRequestRefused AUTH_040        SignInFormRefused           AUTH_041
    ├── ValidationFailed, MalformedBody, BodyTooLarge, UnsupportedMediaType,
    │   NotFound, MethodNotAllowed                                              VAL_001 … VAL_006
    └── DatabaseUnreachable SYS_001, SecretsUnavailable SYS_002, InternalError SYS_003,
        ProviderUnreachable and ProviderTimeout SYS_004, MigrationBusy SYS_007, MigrationFailed SYS_008

What is logged and what is told are apart: `detail` reaches the caller, `private` only the log.
Imports nothing but the standard library, because the authorizer imports this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

type Detail = str | Mapping[str, object] | list[Mapping[str, object]] | None


# Neither a dataclass nor a named tuple: what they cost an import, the authorizer pays at each cold start.
class ErrorCode:
    """One row of the registry. `message` is told to callers; `cause` and `remedy` are for the documentation."""

    __slots__ = ("cause", "code", "message", "remedy", "status")

    def __init__(self, code: str, status: int, message: str, cause: str, remedy: str) -> None:
        self.code = code
        self.status = status
        self.message = message
        self.cause = cause
        self.remedy = remedy


REGISTRY: dict[str, ErrorCode] = {}


def _register(code: str, status: int, message: str, *, cause: str, remedy: str) -> ErrorCode:
    if code in REGISTRY:
        raise ValueError(f"error code {code} is registered twice")
    REGISTRY[code] = ErrorCode(code, status, message, cause, remedy)
    return REGISTRY[code]


AUTH_001 = _register(
    "AUTH_001",
    400,
    "The authorization code is invalid, expired or already used",
    cause="The provider refused the code, or answered the sign-in with an error of its own.",
    remedy="Start again at `GET /api/v1/auth/login`; a code is good once and for about a minute.",
)
AUTH_002 = _register(
    "AUTH_002",
    403,
    "The sign-in could not be matched to this browser",
    cause="`state` is missing, expired, was used before, or belongs to another browser; or the answer's `iss` names "
    "another provider than the one that was asked (RFC 9207).",
    remedy="Start again at `GET /api/v1/auth/login` in the same browser, with cookies allowed, within 10 minutes.",
)
AUTH_003 = _register(
    "AUTH_003",
    401,
    "The token has expired",
    cause="`exp` is past, the clock-skew leeway included.",
    remedy="Sign in again, or refresh the token, and repeat the request.",
)
AUTH_004 = _register(
    "AUTH_004",
    401,
    "The token is not valid",
    cause="Signature, algorithm, issuer, audience, type, lifetime, `nbf` or form of the token is wrong.",
    remedy="Send an access token of the configured issuer and audience; the log line under the request id names the "
    "check that failed.",
)
AUTH_005 = _register(
    "AUTH_005",
    403,
    "The token names no valid tenant",
    cause="None of the claims in `JWT_TENANT_CLAIM_NAME` is present, its value doesn't match `TENANT_ID_PATTERN`, "
    "or the issuer's entry in `TRUSTED_ISSUERS` doesn't list that tenant.",
    remedy="Have the provider put the tenant into the access token under one of these claim names.",
)
AUTH_006 = _register(
    "AUTH_006",
    400,
    "The redirect target is not allowed",
    cause="The origin (scheme, host and port) of `redirect_uri` or `return_to` is not one of `ALLOWED_ORIGINS`.",
    remedy="Use an allowed origin, or add this one to `ALLOWED_ORIGINS`.",
)
AUTH_007 = _register(
    "AUTH_007",
    401,
    "Authentication is required",
    cause="The request carries no credential, or one in a form that is not understood.",
    remedy="Send `Authorization: Bearer <access token>`.",
)
AUTH_008 = _register(
    "AUTH_008",
    400,
    "The provider's ID token was refused",
    cause="The ID token's signature, issuer, audience, `nonce`, `at_hash`, `azp`, `sub` or times are wrong.",
    remedy="Start again; if it stays, compare `OIDC_ISSUER_URL` and `OIDC_CLIENT_ID` with the provider's settings.",
)
AUTH_009 = _register(
    "AUTH_009",
    502,
    "The provider's access token can't be used here",
    cause="The sign-in went well, but the access token is opaque, or isn't meant for this API.",
    remedy="Set `OIDC_RESOURCE` (or `audience` in `OIDC_AUTHORIZE_PARAMS`) so that the provider issues a JWT for this "
    "API, and `OIDC_AUDIENCE` to the audience that it puts there.",
)
AUTH_010 = _register(
    "AUTH_010",
    403,
    "The credential doesn't allow this",
    cause="No route rule covers the request, or its rule asks for a scope or a role that the caller lacks.",
    remedy="Ask for a token with the scope that the challenge names (RFC 6750 §3.1), or have the role given; API "
    "owners compare the file in `ROUTE_RULES_FILE`: `tenantgate rules check`.",
)
AUTH_011 = _register(
    "AUTH_011",
    401,
    "A stronger or more recent sign-in is required",
    cause="The route's rule asks for an `acr` or a maximum authentication age that the token doesn't meet (RFC 9470).",
    remedy="Sign in again with the challenge's `acr_values` and `max_age`. Behind an HTTP API's authorizer, which "
    "controls no header, this is a plain 403.",
)
AUTH_020 = _register(
    "AUTH_020",
    401,
    "The session has ended",
    cause="The session expired, was ended by a sign-out, or never was.",
    remedy="Sign in again at `GET /api/v1/auth/login`.",
)
AUTH_021 = _register(
    "AUTH_021",
    403,
    "The request came from another site",
    cause="A request that carries the session cookie came from an origin that is not one of ours.",
    remedy="Call from the API's own origin or one of `ALLOWED_ORIGINS`, or send a bearer token instead of the cookie.",
)
AUTH_040 = _register(
    "AUTH_040",
    400,
    "The application's sign-in request can't be used",
    cause="An application sent the browser to the built-in provider with an unknown `client_id`, without "
    "`redirect_uri`, or with one of them given twice.",
    remedy="Start again at the application; its developer compares `OIDC_CLIENT_ID` on both sides.",
)
AUTH_041 = _register(
    "AUTH_041",
    400,
    "The form has expired or was changed",
    cause="A form of the built-in provider came back more than 10 minutes after it was shown, or not as it was shown.",
    remedy="Start again at the application.",
)
VAL_001 = _register(
    "VAL_001",
    422,
    "The request is not valid",
    cause="A parameter or a member of the body is missing, unknown, too long or of the wrong type.",
    remedy="`error.detail` lists each field and what is wrong with it.",
)
VAL_002 = _register(
    "VAL_002",
    400,
    "The request body is not valid JSON",
    cause="The body could not be parsed.",
    remedy="Send one JSON object, encoded as UTF-8.",
)
VAL_003 = _register(
    "VAL_003",
    413,
    "The request body is too large",
    cause="The body is longer than this API takes.",
    remedy="Send less than 64 KiB.",
)
VAL_004 = _register(
    "VAL_004",
    415,
    "The request body's media type is not supported",
    cause="`Content-Type` is missing or not the one that the endpoint takes.",
    remedy="Send `Content-Type: application/json`.",
)
VAL_005 = _register(
    "VAL_005",
    404,
    "There is nothing at this path",
    cause="No route has this path.",
    remedy="Compare the path with the API's documentation; a trailing slash counts.",
)
VAL_006 = _register(
    "VAL_006",
    405,
    "The method is not allowed here",
    cause="The path exists, but not for this method.",
    remedy="Use one of the methods in the `Allow` header.",
)
SYS_001 = _register(
    "SYS_001",
    503,
    "The database can't be reached",
    cause="PostgreSQL is down, unreachable or out of connections.",
    remedy="Try again shortly. Operators: see the readiness check and `DATABASE_URL`.",
)
SYS_002 = _register(
    "SYS_002",
    503,
    "A required secret is unavailable",
    cause="Secrets Manager can't be reached, or the secret lacks a member, and no usable value is in memory.",
    remedy="Operators: check `AWS_SECRETS_MANAGER_SECRET_ID`, the function's role, and the secret's members.",
)
SYS_003 = _register(
    "SYS_003",
    500,
    "Something went wrong on our side",
    cause="An error that nobody foresaw.",
    remedy="Try again; if it stays, report `error.request_id`.",
)
SYS_004 = _register(
    "SYS_004",
    502,
    "The identity provider can't be reached",
    cause="The provider refused the connection, answered nonsense (502) or too slowly (504).",
    remedy="Try again shortly. Operators: check `OIDC_ISSUER_URL` and the network's way out.",
)
SYS_007 = _register(
    "SYS_007",
    409,
    "Another migration is running",
    cause="Somebody else holds the database's migration lock, and kept it for half a minute.",
    remedy="Wait until it has ended, and run yours again.",
)
SYS_008 = _register(
    "SYS_008",
    500,
    "A migration failed",
    cause="PostgreSQL refused one of its statements. The failing migration left nothing behind.",
    remedy="`error.detail` says where it stopped and why. Mend the migration or the data, and run it again.",
)


class TenantgateError(Exception):
    """A failure with a code of the registry.

    `detail` is told to the caller. `private` (expected and actual values and the like) goes to the log alone, through
    redaction, and is shown to callers in development only.
    """

    error: ClassVar[ErrorCode] = SYS_003
    status: ClassVar[int | None] = None

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
    """The header asks for what must be understood or must not be trusted: `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`."""


class UnknownKey(TokenError):
    """The issuer publishes no key that fits the header."""


class InvalidSignature(TokenError):
    """The signature doesn't verify."""


class WrongTokenType(TokenError):
    """An ID token, a logout token or another kind of token offered as an access token (RFC 8725 §3.11, RFC 9068 §4)."""


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


class InvalidAuthorizationCode(TenantgateError):
    error = AUTH_001


class StateMismatch(TenantgateError):
    error = AUTH_002


class RedirectNotAllowed(TenantgateError):
    error = AUTH_006


class IdTokenRefused(TenantgateError):
    error = AUTH_008


class AccessTokenUnusable(TenantgateError):
    error = AUTH_009


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


class SessionEnded(TenantgateError):
    error = AUTH_020


class CrossSiteRequest(TenantgateError):
    error = AUTH_021


class AuthorizationRequestRefused(TenantgateError):
    error = AUTH_040


class SignInFormRefused(TenantgateError):
    error = AUTH_041


class ValidationFailed(TenantgateError):
    error = VAL_001


class MalformedBody(TenantgateError):
    error = VAL_002


class BodyTooLarge(TenantgateError):
    error = VAL_003


class UnsupportedMediaType(TenantgateError):
    error = VAL_004


class NotFound(TenantgateError):
    error = VAL_005


class MethodNotAllowed(TenantgateError):
    error = VAL_006


class DatabaseUnreachable(TenantgateError):
    error = SYS_001


class SecretsUnavailable(TenantgateError):
    error = SYS_002


class InternalError(TenantgateError):
    error = SYS_003


class ProviderUnreachable(TenantgateError):
    error = SYS_004


class ProviderTimeout(ProviderUnreachable):
    status = 504


class MigrationBusy(TenantgateError):
    error = SYS_007


class MigrationFailed(TenantgateError):
    error = SYS_008


def error_body(error: TenantgateError, *, request_id: str, debug: bool = False) -> dict[str, object]:
    """Render the one shape: `{"error": {"code", "message", "detail", "request_id"}}`.

    With `debug` (development alone) a missing `detail` is filled with the reason and the private context.
    """
    detail: object = error.detail
    if detail is None and debug and (error.reason or error.private):
        detail = {
            "reason": error.reason,
            "kind": type(error).__name__,
            **{name: str(value) for name, value in error.private.items()},
        }
    return {
        "error": {"code": error.error.code, "message": error.error.message, "detail": detail, "request_id": request_id}
    }


def bearer_challenge(error: TenantgateError) -> str | None:
    """The `WWW-Authenticate` value of a 401 or 403 of ours about a bearer token, else None (RFC 6750 §3)."""
    if isinstance(error, InsufficientScope):
        return _challenge("insufficient_scope", error.error.message, f'scope="{error.scope}"' if error.scope else "")
    if error.http_status != 401:
        return None
    if error.error in (AUTH_007, AUTH_020):
        return 'Bearer realm="tenantgate"'
    if isinstance(error, StepUpRequired):
        return _challenge(
            "insufficient_user_authentication",
            error.error.message,
            f'acr_values="{error.acr_values}"' if error.acr_values else "",
            "" if error.max_age is None else f'max_age="{error.max_age}"',
        )
    return _challenge("invalid_token", error.error.message)


def _challenge(code: str, description: str, *parameters: str) -> str:
    told = f'Bearer realm="tenantgate", error="{code}", error_description="{description}"'
    return ", ".join((told, *filter(None, parameters)))
