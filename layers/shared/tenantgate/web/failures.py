"""From any exception to the failure of the registry that the caller is told."""

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
    """The registered failure behind `error`; what nobody foresaw is `InternalError`, with `error` as its cause."""
    if isinstance(error, TenantgateError):
        return error
    if isinstance(error, RequestValidationError):
        return _validation_failure(error, scope)
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, TenantgateError):
            # FastAPI wraps what reading the body raised.
            return error.__cause__
        if (known := _BY_STATUS.get(error.status_code)) is not None:
            return known()
    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return failure_of(error.exceptions[0], scope)
    unforeseen = InternalError(f"{type(error).__name__}: {error}")
    unforeseen.__cause__ = error
    return unforeseen


def _validation_failure(error: RequestValidationError, scope: Scope) -> TenantgateError:
    problems: Sequence[Mapping[str, Any]] = error.errors()
    if any(problem.get("type") == "json_invalid" for problem in problems):
        return MalformedBody()
    if isinstance(error.body, bytes) and not _is_json(scope):
        # FastAPI hands over a body of any other media type as bytes.
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
    # A member's name may be the caller's own text.
    return ".".join("".join(c for c in str(part)[:64] if c.isprintable()) for part in location[:8])


def _is_json(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.split(b";", 1)[0].strip().lower()
            return bool(media_type == b"application/json" or media_type.endswith(b"+json"))
    return False
