"""Decision receipts: what a denial's log line says, and the reason codes that clients, logs and `explain` share.

A reason code is stable: it is the error's name in snake case, or the one that the route rules gave.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors.access import AUTH_010, AUTH_011
from tenantgate.errors.base import ErrorCode, TenantgateError, Word

MALFORMED_EVENT = "malformed_event"
UNKNOWN_EVENT = "unknown_event"

# Error → the check that it means, in the order in which the verifier makes them. Those of a claim are told apart by it.
CHECKS: Mapping[str, str] = {
    "AuthenticationRequired": "credential",
    "MalformedToken": "form",
    "UnsupportedHeader": "header",
    "WrongIssuer": "issuer",
    "AlgorithmNotAllowed": "algorithm",
    "UnknownKey": "key",
    "ProviderUnreachable": "key",
    "ProviderTimeout": "key",
    "InvalidSignature": "signature",
    "WrongTokenType": "type",
    "IssuedInFuture": "issued at",
    "LifetimeTooLong": "lifetime",
    "NotYetValid": "not before",
    "WrongAudience": "audience",
    "MissingClaim": "claim",
    "InvalidClaim": "claim",
    "TokenExpired": "expiry",
    "TenantMissing": "tenant",
    "TenantMalformed": "tenant",
    "TenantNotAllowed": "tenant",
}


# Why the route rules say no (`route_rules/engine.py`), and the code that it is told under.
RULE_REASONS: Mapping[str, ErrorCode] = {
    "no_rule": AUTH_010,
    "ambiguous_path": AUTH_010,
    "issuer_not_allowed": AUTH_010,
    "missing_scope": AUTH_010,
    "missing_any_scope": AUTH_010,
    "missing_role": AUTH_010,
    "acr_too_weak": AUTH_011,
    "authentication_too_old": AUTH_011,
    "authentication_time_unknown": AUTH_011,
}


def reason_code(error: type[TenantgateError]) -> str:
    """`TokenExpired` → `token_expired`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in error.__name__).lstrip("_")


def check_of(error: TenantgateError) -> str:
    """The name of the check that failed; a claim's own when it is about one."""
    name = CHECKS.get(type(error).__name__, "other")
    return f"claim {error.private['claim']}" if name == "claim" and "claim" in error.private else name


def refusal_receipt(refusal: TenantgateError) -> dict[str, object]:
    """What the log says of a refused credential: code, reason, check, and expected and actual as far as there are."""
    receipt: dict[str, object] = {
        "error_code": refusal.error.code,
        "reason": Word(reason_code(type(refusal))),
        "check": Word(check_of(refusal)),
        # As the exception, which knows which of its words are ours.
        "finding": refusal,
    }
    return {**receipt, **refusal.private}
