"""Map any exception to the registered error that the response reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from tenantgate.errors.base import InternalError, TenantgateError, ValidationFailed
from tenantgate.web.errors import BodyTooLarge, MalformedBody, MethodNotAllowed, NotFound, UnsupportedMediaType

_BY_STATUS: Mapping[int, type[TenantgateError]] = {
    400: MalformedBody,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
    422: ValidationFailed,
}
_MOST_PROBLEMS = 20


def failure_of(error: Exception, scope: Scope) -> TenantgateError:
    """Return the registered error for `error`; for an unexpected one `InternalError`, with `error` as its cause."""
    if isinstance(error, TenantgateError):
        return error
    if isinstance(error, RequestValidationError):
        return _validation_failure(error, scope)
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, TenantgateError):
            # FastAPI wraps an error that was raised while the body was read.
            return error.__cause__
        if (known := _BY_STATUS.get(error.status_code)) is not None:
            return known()
    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return failure_of(error.exceptions[0], scope)
    unexpected = InternalError(f"{type(error).__name__}: {error}")
    unexpected.__cause__ = error
    return unexpected


def _validation_failure(error: RequestValidationError, scope: Scope) -> TenantgateError:
    problems: Sequence[Mapping[str, Any]] = error.errors()
    if any(problem.get("type") == "json_invalid" for problem in problems):
        return MalformedBody()
    if isinstance(error.body, bytes) and not _is_json(scope):
        # FastAPI passes a body of any other media type as bytes.
        return UnsupportedMediaType()
    return ValidationFailed(
        detail=[
            {
                "field": _field(problem.get("loc", ())),
                "problem": str(problem.get("msg", "")).removeprefix("Value error, "),
            }
            for problem in problems[:_MOST_PROBLEMS]
        ]
    )


def _field(location: Sequence[object]) -> str:
    # A caller chooses the names of members, so they may hold any text.
    return ".".join("".join(c for c in str(part)[:64] if c.isprintable()) for part in location[:8])


def _is_json(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.split(b";", 1)[0].strip().lower()
            return bool(media_type == b"application/json" or media_type.endswith(b"+json"))
    return False
