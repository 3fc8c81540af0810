"""Every registered error with its code, from all `errors` modules of the product."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import tenantgate
from tenantgate.authorizer.decision_log import RULE_REASONS, reason_code
from tenantgate.errors.base import REGISTRY, ErrorCode, TenantgateError
from tenantgate.errors.tokens import TokenError


@cache
def registry() -> dict[str, ErrorCode]:
    """Error codes in order, each with its row."""
    for module in pkgutil.walk_packages(tenantgate.__path__, "tenantgate."):
        if "errors" in module.name.split("."):
            importlib.import_module(module.name)
    return dict(sorted(REGISTRY.items()))


def errors() -> list[type[TenantgateError]]:
    """Every class of error that names what failed."""
    registry()
    found, open_ends = [], [TenantgateError]
    while open_ends:
        error = open_ends.pop()
        open_ends += error.__subclasses__()
        if error is not TenantgateError and error is not TokenError and error.__module__.startswith("tenantgate."):
            found.append(error)
    return found


def explained(name: str) -> tuple[ErrorCode, list[str]] | None:
    """The row of an error code or a reason code, and the reason codes that belong to it; None if unknown."""
    wanted = name.strip()
    reasons = {**{reason_code(error): error.error for error in errors()}, **RULE_REASONS}
    code = registry().get(wanted.upper().replace("-", "_")) or reasons.get(wanted.lower())
    return None if code is None else (code, sorted(reason for reason, of in reasons.items() if of is code))


def token_reasons() -> dict[str, ErrorCode]:
    """Every reason code of a rejected token, with its row of the registry."""
    return {reason_code(error): error.error for error in errors() if issubclass(error, TokenError)}
