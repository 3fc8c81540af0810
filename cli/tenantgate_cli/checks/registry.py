"""Every registered error with its code, from all `errors` modules of the product."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from http import HTTPStatus

import tenantgate
from tenantgate.authorizer.decision_log import RULE_REASONS, reason_code
from tenantgate.errors.base import REGISTRY, ErrorCode, TenantgateError
from tenantgate.errors.tokens import TokenError
from tenantgate_cli.console import Failure


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


def code_page(name: str) -> str:
    """Explain an error code or a reason code; raises `Failure` for an unknown one."""
    wanted = name.strip()
    reasons = {**{reason_code(error): error.error for error in errors()}, **RULE_REASONS}
    code = registry().get(wanted.upper().replace("-", "_")) or reasons.get(wanted.lower())
    if code is None:
        raise Failure(f"there is no code {name!r}", "docs/ERROR_CODES.md lists them")
    lines = [
        f"{code.code}  {code.message} ({code.status} {HTTPStatus(code.status).phrase})",
        f"  cause   {code.cause}",
        f"  remedy  {code.remedy}",
    ]
    of_code = sorted(reason for reason, of in reasons.items() if of is code)
    return "\n".join([*lines, f"  reasons {', '.join(of_code)}"] if of_code else lines)


def token_reasons() -> dict[str, ErrorCode]:
    """Return every reason code of a rejected token, with its row of the registry."""
    return {reason_code(error): error.error for error in errors() if issubclass(error, TokenError)}
