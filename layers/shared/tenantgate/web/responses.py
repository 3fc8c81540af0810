"""Errors over HTTP: the one JSON shape, its headers, and their description in OpenAPI."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.responses import JSONResponse

from tenantgate.context import current_request
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.base import ErrorCode, InternalError, TenantgateError, ValidationFailed, error_body
from tenantgate.errors.revocation import RevocationUnknown, TokenRevoked
from tenantgate.errors.tokens import (
    Overloaded,
    ProviderTimeout,
    ProviderUnreachable,
    TenantMissing,
    TokenError,
    TokenExpired,
)
from tenantgate.observability.redaction import redact_context
from tenantgate.rate_limits.errors import RateLimited
from tenantgate.web.errors import BodyTooLarge, MalformedBody, UnsupportedMediaType
from tenantgate.web.headers import error_headers
from tenantgate.web.models import StrictModel

type ErrorClasses = tuple[type[TenantgateError], ...]

# Groups for `error_responses`: the errors of a route that reads a JSON body, that waits for the OpenID provider or its
# keys, or that requires a bearer token.
BODY_ERRORS: ErrorClasses = (ValidationFailed, MalformedBody, BodyTooLarge, UnsupportedMediaType)
PROVIDER_ERRORS: ErrorClasses = (ProviderUnreachable, ProviderTimeout, Overloaded)
BEARER_ERRORS: ErrorClasses = (
    *(TokenExpired, TokenError, TokenRevoked, TenantMissing, AuthenticationRequired, RevocationUnknown),
    *PROVIDER_ERRORS,
)

_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_RATE_LIMIT = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit": {"description": "What remains of each limit.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The limits that this request counts in.", "schema": {"type": "string"}},
}


class ErrorMember(StrictModel):
    """The error: a code of docs/ERROR_CODES.md, its message, and the request id to quote."""

    code: str
    message: str
    detail: str | dict[str, Any] | list[dict[str, Any]] | None
    request_id: str


class ErrorResponse(StrictModel):
    """The one shape of every error."""

    error: ErrorMember


def error_responses(*errors: type[TenantgateError]) -> dict[int | str, dict[str, Any]]:
    """Describe a route's errors for its `responses=`: by status, each with its codes.

    `InternalError` and `RateLimited` are always among them. Classes that share code and status, such as the kinds of a
    missing tenant, are one entry: name any of them.
    """
    by_status: dict[int, dict[ErrorCode, type[TenantgateError]]] = {}
    documented: ErrorClasses = (*errors, InternalError, RateLimited)
    for error in documented:
        by_status.setdefault(error.status or error.error.status, {})[error.error] = error
    return {
        status: {
            "model": ErrorResponse,
            "description": "; ".join(f"`{code.code}` {code.message}" for code in of_status),
            **_headers(of_status.values()),
        }
        for status, of_status in sorted(by_status.items())
    }


def _headers(errors: Collection[type[TenantgateError]]) -> dict[str, Any]:
    if RateLimited in errors:
        return {"headers": _RATE_LIMIT}
    return {"headers": _RETRY_AFTER} if Overloaded in errors else {}


def error_response(error: TenantgateError, *, debug: bool = False, allow: str | None = None) -> JSONResponse:
    """Build the JSON response to an error. `debug`, only in development, adds the private reason, redacted."""
    body = error_body(error, request_id=current_request().request_id)
    if debug and error.detail is None:
        body["error"] = {**_members(body["error"]), "detail": debug_detail(error) or None}
    return JSONResponse(body, status_code=error.http_status, headers=error_headers(error, allow=allow))


def debug_detail(error: TenantgateError) -> dict[str, object]:
    """Return the private side of an error, redacted, for development. Empty when it has none."""
    if not (error.reason or error.private):
        return {}
    return redact_context({"reason": error if error.reason else "", "kind": type(error), **error.private})


def _members(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
