"""The failures of services that a caller can see. What a failure is, and those of verifying and deciding: `errors.py`.

TenantgateError
├── InvalidAuthorizationCode    AUTH_001        StateMismatch               AUTH_002
├── RedirectNotAllowed          AUTH_006        AccessTokenUnusable         AUTH_009
├── SessionEnded                AUTH_020        CrossSiteRequest            AUTH_021
├── AuthorizationRequestRefused AUTH_040        SignInFormRefused           AUTH_041
├── ValidationFailed, MalformedBody, BodyTooLarge, UnsupportedMediaType,
│   NotFound, MethodNotAllowed, AmbiguousRequest, RequestTooSlow,
│   HeadersTooLarge, MalformedRequest                                       VAL_001 … VAL_010
├── DatabaseUnreachable         SYS_001         SecretsUnavailable          SYS_002
├── MigrationBusy               SYS_007         MigrationFailed             SYS_008
└── Overloaded                  SYS_010
"""

from __future__ import annotations

from tenantgate.errors import REGISTRY, Detail, ErrorCode, TenantgateError, register

AUTH_001 = register(
    "AUTH_001",
    400,
    "The authorization code is invalid, expired or already used",
    cause="The provider refused the code, or answered the sign-in with an error of its own.",
    remedy="Start again at `GET /api/v1/auth/login`; a code is good once and for about a minute.",
)
AUTH_002 = register(
    "AUTH_002",
    403,
    "The sign-in could not be matched to this browser",
    cause="`state` is missing, expired, was used before, or belongs to another browser; or the answer's `iss` names "
    "another provider than the one that was asked (RFC 9207), or is missing from a redirect although that provider "
    "announces it; or the answer to an app's attempt came by redirect instead of `POST`.",
    remedy="Start again at `GET /api/v1/auth/login` in the same browser, with cookies allowed, within 10 minutes.",
)
AUTH_006 = register(
    "AUTH_006",
    400,
    "The redirect target is not allowed",
    cause="The origin (scheme, host and port) of `redirect_uri` or `return_to` is not one of `ALLOWED_ORIGINS`.",
    remedy="Use an allowed origin, or add this one to `ALLOWED_ORIGINS`.",
)
AUTH_009 = register(
    "AUTH_009",
    502,
    "The provider's access token can't be used here",
    cause="The sign-in went well, but the access token failed a check of ours: it is opaque, lives too long, is "
    "meant for another API, comes from another issuer than the ID token, or the like.",
    remedy="`detail` names the setting of the check that failed. Most often: set `OIDC_RESOURCE` (or `audience` in "
    "`OIDC_AUTHORIZE_PARAMS`) so that the provider issues a JWT for this API, and `OIDC_AUDIENCE` to the audience "
    "that it puts there.",
)
AUTH_020 = register(
    "AUTH_020",
    401,
    "The session has ended",
    cause="The session expired, was ended by a sign-out, or never was.",
    remedy="Sign in again at `GET /api/v1/auth/login`.",
)
AUTH_021 = register(
    "AUTH_021",
    403,
    "The request came from another site",
    cause="A request that carries the session cookie came from an origin that is not one of ours.",
    remedy="Call from the API's own origin or one of `ALLOWED_ORIGINS`, or send a bearer token instead of the cookie.",
)
AUTH_040 = register(
    "AUTH_040",
    400,
    "The application's sign-in request can't be used",
    cause="An application sent the browser to the built-in provider with an unknown `client_id`, without "
    "`redirect_uri`, or with one of them given twice.",
    remedy="Start again at the application; its developer compares `OIDC_CLIENT_ID` on both sides.",
)
AUTH_041 = register(
    "AUTH_041",
    400,
    "The form has expired or was changed",
    cause="A form of the built-in provider came back more than 10 minutes after it was shown, or not as it was shown.",
    remedy="Start again at the application.",
)
VAL_001 = register(
    "VAL_001",
    422,
    "The request is not valid",
    cause="A parameter or a member of the body is missing, unknown, too long or of the wrong type.",
    remedy="`error.detail` lists each field and what is wrong with it.",
)
VAL_002 = register(
    "VAL_002",
    400,
    "The request body is not valid JSON",
    cause="The body could not be parsed.",
    remedy="Send one JSON object, encoded as UTF-8.",
)
VAL_003 = register(
    "VAL_003",
    413,
    "The request body is too large",
    cause="The body is longer than this API takes.",
    remedy="Send less than 64 KiB.",
)
VAL_004 = register(
    "VAL_004",
    415,
    "The request body's media type is not supported",
    cause="`Content-Type` is missing or not the one that the endpoint takes.",
    remedy="Send `Content-Type: application/json`.",
)
VAL_005 = register(
    "VAL_005",
    404,
    "There is nothing at this path",
    cause="No route has this path.",
    remedy="Compare the path with the API's documentation; a trailing slash counts.",
)
VAL_006 = register(
    "VAL_006",
    405,
    "The method is not allowed here",
    cause="The path exists, but not for this method.",
    remedy="Use one of the methods in the `Allow` header.",
)
VAL_007 = register(
    "VAL_007",
    400,
    "The request can be read in more than one way",
    cause="The path has a control character, a header that counts once came twice, or `Host` isn't a host.",
    remedy="Send one `Host`, `Origin`, `Content-Type` and `Content-Length`, and a path without control characters.",
)
VAL_008 = register(
    "VAL_008",
    408,
    "The request took too long to arrive",
    cause="The headers were not complete 10 seconds after the connection or the previous request, or the body not 20 "
    "seconds after the headers. Only the container says so.",
    remedy="Send the whole request at once, and again on a new connection.",
)
VAL_009 = register(
    "VAL_009",
    431,
    "The request's headers are too large",
    cause="The request line and headers are longer than 32 KiB. API Gateway takes 10,240 bytes, and words its own 431.",
    remedy="Send fewer cookies or a shorter token.",
)
VAL_010 = register(
    "VAL_010",
    400,
    "The request can't be read as HTTP",
    cause="The request line, a header or the framing of the body breaks RFC 9112. Only the container says so: API "
    "Gateway rejects such requests itself.",
    remedy="Use an HTTP client library; a proxy in between must speak HTTP/1.1.",
)
SYS_001 = register(
    "SYS_001",
    503,
    "The database can't be reached",
    cause="PostgreSQL is down, unreachable or out of connections.",
    remedy="Try again shortly. Operators: see the readiness check and `DATABASE_URL`.",
)
SYS_002 = register(
    "SYS_002",
    503,
    "A required secret is unavailable",
    cause="Secrets Manager can't be reached, or the secret lacks a member, and no usable value is in memory.",
    remedy="Operators: check `AWS_SECRETS_MANAGER_SECRET_ID`, the function's role, and the secret's members.",
)
SYS_007 = register(
    "SYS_007",
    409,
    "Another migration is running",
    cause="Somebody else holds the database's migration lock, and kept it for half a minute.",
    remedy="Wait until it has ended, and run yours again.",
)
SYS_008 = register(
    "SYS_008",
    500,
    "A migration failed",
    cause="PostgreSQL refused one of its statements, or the login that it prepares can't be made. The failing "
    "migration left nothing behind.",
    remedy="`error.detail` says where it stopped and why. Fix the migration or the data, and run it again. Where "
    "permission was denied, `DATABASE_OWNER_URL` (or `DATABASE_URL` by itself) must be the owner's URL.",
)
SYS_010 = register(
    "SYS_010",
    503,
    "Too many requests are waiting",
    cause="The server is overloaded, or as many requests as are allowed wait for the keys or the metadata of one "
    "identity provider, which doesn't respond.",
    remedy="Try again after the seconds in `Retry-After`. Operators: the log names the provider.",
)


class InvalidAuthorizationCode(TenantgateError):
    error = AUTH_001


class StateMismatch(TenantgateError):
    error = AUTH_002


class RedirectNotAllowed(TenantgateError):
    error = AUTH_006


class AccessTokenUnusable(TenantgateError):
    error = AUTH_009


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


class AmbiguousRequest(TenantgateError):
    error = VAL_007


class RequestTooSlow(TenantgateError):
    error = VAL_008


class HeadersTooLarge(TenantgateError):
    error = VAL_009


class MalformedRequest(TenantgateError):
    error = VAL_010


class DatabaseUnreachable(TenantgateError):
    error = SYS_001


class SecretsUnavailable(TenantgateError):
    error = SYS_002


class MigrationBusy(TenantgateError):
    error = SYS_007


class MigrationFailed(TenantgateError):
    error = SYS_008


class Overloaded(TenantgateError):
    """The request was not begun; `retry_after` is in whole seconds."""

    error = SYS_010

    def __init__(self, reason: str = "", *, retry_after: int, detail: Detail = None, **private: object) -> None:
        super().__init__(reason, detail=detail, **private)
        self.retry_after = retry_after


def registry() -> dict[str, ErrorCode]:
    """Every row, those of `errors.py` too, by code and in the order of the codes."""
    return dict(sorted(REGISTRY.items()))
