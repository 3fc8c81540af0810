"""Every registered error with its code, from all `errors` modules of the product."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

import tenantgate
from tenantgate.authorizer.decision_log import MALFORMED_EVENT, RULE_REASONS, UNKNOWN_EVENT, reason_code
from tenantgate.errors.access import CrossSiteRequest, SessionEnded
from tenantgate.errors.base import REGISTRY, SYS_003, ErrorCode, TenantgateError
from tenantgate.errors.tokens import TokenError
from tenantgate_cli.console import Failure, printable
from tenantgate_cli.denials.reasons import REASONS


@cache
def registry() -> dict[str, ErrorCode]:
    """Return the error codes in order, each with its row."""
    for module in pkgutil.walk_packages(tenantgate.__path__, "tenantgate."):
        if "errors" in module.name.split("."):
            importlib.import_module(module.name)
    return dict(sorted(REGISTRY.items()))


def errors() -> list[type[TenantgateError]]:
    """Return every class of error, without the two that only group others."""
    registry()
    found, open_ends = [], [TenantgateError]
    while open_ends:
        error = open_ends.pop()
        open_ends += error.__subclasses__()
        if error is not TenantgateError and error is not TokenError and error.__module__.startswith("tenantgate."):
            found.append(error)
    return found


class CodePage(NamedTuple):
    """An error code, or a reason code with the error code that clients get for it."""

    code: ErrorCode
    reason: str = ""
    reasons: Sequence[str] = ()
    """Of an error code: its reason codes."""

    def __str__(self) -> str:
        status = f"{self.code.status} {HTTPStatus(self.code.status).phrase}"
        if not self.reason:
            lines = [
                f"{self.code.code}  {self.code.message} ({status})",
                f"  cause   {self.code.cause}",
                f"  remedy  {self.code.remedy}",
            ]
            return "\n".join([*lines, f"  reasons {', '.join(self.reasons)}"] if self.reasons else lines)
        words = REASONS.get(self.reason)
        cause, remedy = (words.words, words.remedy) if words is not None else (self.code.cause, self.code.remedy)
        code = f"{self.code.code}, {self.code.message} ({status})"
        return f"{self.reason}\n  cause   {cause}\n  remedy  {remedy}\n  code    {code}"

    def members(self) -> dict[str, object]:
        """Return the page as JSON values."""
        words = REASONS.get(self.reason)
        return {
            "code": self.code.code,
            "status": self.code.status,
            "message": self.code.message,
            "reason": self.reason or None,
            "reasons": list(self.reasons),
            "cause": words.words if words is not None else self.code.cause,
            "remedy": words.remedy if words is not None else self.code.remedy,
        }


def code_page(name: str) -> CodePage:
    """Explain an error code or a reason code; raises `Failure` for an unknown one."""
    wanted = name.strip()
    reasons = all_reasons()
    code = registry().get(wanted.upper().replace("-", "_"))
    if code is not None:
        return CodePage(code, reasons=sorted(reason for reason, of in reasons.items() if of is code))
    reason = wanted.lower().replace("-", "_")
    if reason not in reasons:
        raise Failure(
            f"there is no code {printable(name)!r}",
            "docs/ERROR_CODES.md lists them; for a request id: tenantgate explain --request ID",
        )
    return CodePage(reasons[reason], reason)


def all_reasons() -> dict[str, ErrorCode]:
    """Return every reason code with the error code that clients get for it."""
    events = dict.fromkeys((MALFORMED_EVENT, UNKNOWN_EVENT), SYS_003)
    return {**{reason_code(error): error.error for error in errors()}, **RULE_REASONS, **events}


def cookie_reasons() -> dict[str, ErrorCode]:
    """Return every reason code of a rejected session cookie, with its row of the registry."""
    return {
        reason_code(error): error.error for error in errors() if issubclass(error, (SessionEnded, CrossSiteRequest))
    }


def token_reasons() -> dict[str, ErrorCode]:
    """Return every reason code of a rejected token, with its row of the registry."""
    return {reason_code(error): error.error for error in errors() if issubclass(error, TokenError)}
