"""The registry of error codes, the root of the exceptions, and the one JSON shape of every error.

`detail` is for the response, `private` only for the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import ClassVar

    from tenantgate.context import Caller

type Detail = str | Mapping[str, object] | list[Mapping[str, object]] | None


class Word(str):
    """A word of the product's own closed vocabulary: an error code, a kind, the name of a check.

    A log repeats it even where a caller sent the same one.
    """

    __slots__ = ()


class Exact(Word):
    """A text that a record needs unchanged: a verified id, or a value that this line has in clear anyway.

    No log masks it, neither because a caller sent the same nor by its form. Never for a caller's free text.
    """

    __slots__ = ()


class Figure(float):
    """A number of the product's own: a time, a count. A log writes it even where a caller sent its digits."""

    __slots__ = ()


# Neither a dataclass nor a named tuple: both would add to the authorizer's cold start.
class ErrorCode:
    """One row of the registry. `message` is for callers, `cause` and `remedy` are for the documentation."""

    __slots__ = ("cause", "code", "message", "remedy", "status")

    def __init__(self, code: str, status: int, message: str, cause: str, remedy: str) -> None:
        self.code = Word(code)
        self.status = status
        self.message = message
        self.cause = cause
        self.remedy = remedy


# By code. Complete only when every `errors` module is imported, which no function does.
REGISTRY: dict[str, ErrorCode] = {}


def register(code: str, status: int, message: str, *, cause: str, remedy: str) -> ErrorCode:
    """Add a row to the registry, with a code of the caller's own block of numbers (docs/ERROR_CODES.md)."""
    if code in REGISTRY:
        raise ValueError(f"error code {code} is registered twice")
    REGISTRY[code] = ErrorCode(code, status, message, cause, remedy)
    return REGISTRY[code]


SYS_003 = register(
    "SYS_003",
    500,
    "Something went wrong on our side",
    cause="An unexpected error.",
    remedy="Try again; if it stays, report `error.request_id`.",
)

VAL_001 = register(
    "VAL_001",
    422,
    "The request is not valid",
    cause="A parameter or a member of the body is missing, unknown, too long or of the wrong type.",
    remedy="`error.detail` lists each field with its problem.",
)


class TenantgateError(Exception):
    """A failure with a code of the registry.

    `detail` is sent to the caller. `private` (such as expected and actual values) is only logged, after
    redaction, and is shown to callers in development only.
    """

    error: ClassVar[ErrorCode] = SYS_003
    status: ClassVar[int | None] = None
    # The `error` of the class's Bearer challenge (RFC 6750 §3.1). Empty: a challenge without it, where the request had
    # no bearer token. None: no challenge. The response to a 401 always has one (RFC 9110 §15.5.2).
    challenge_error: ClassVar[str | None] = None
    # The security event of a request that a web function refuses with this error (`observability/security_events.py`).
    security_event: ClassVar[str | None] = None
    # A request that is refused with this error may leave an audit event (`audit/denials.py`).
    audited: ClassVar[bool] = False
    # The credential that was refused is the request's own, not that of a sign-in at a provider.
    presented: bool = False
    # Whose credential it is, if everything that proves it was verified: that of an expired or revoked one.
    caller: Caller | None = None
    # Seconds after which the same request may succeed; sent as `Retry-After` (RFC 9110 §10.2.3).
    retry_after: int | None = None
    # Names of cookies that the failure makes worthless; the response clears them.
    clears_cookies: tuple[str, ...] = ()

    def __init__(self, reason: str = "", *, detail: Detail = None, **private: object) -> None:
        super().__init__(reason or self.error.message)
        self.reason = reason
        self.detail = detail
        self.private = private

    @property
    def http_status(self) -> int:
        return self.status or self.error.status

    @property
    def challenge(self) -> str | None:
        """The response's `WWW-Authenticate` (RFC 6750 §3), None for a response without it."""
        if self.challenge_error is None:
            return None
        challenge = 'Bearer realm="tenantgate"'
        if self.challenge_error:
            challenge += f', error="{self.challenge_error}", error_description="{self.error.message}"'
        return "".join((challenge, *(f', {name}="{value}"' for name, value in self.challenge_parameters().items())))

    def challenge_parameters(self) -> Mapping[str, str]:
        """Further parameters of the challenge. No value may have a quote or a backslash."""
        return {}


class InternalError(TenantgateError):
    error = SYS_003


class ValidationFailed(TenantgateError):
    error = VAL_001


def error_body(error: TenantgateError, *, request_id: str) -> dict[str, object]:
    """Return the body that every error has: `{"error": {"code", "message", "detail", "request_id"}}`."""
    code, message = error.error.code, error.error.message
    return {"error": {"code": code, "message": message, "detail": error.detail, "request_id": request_id}}
