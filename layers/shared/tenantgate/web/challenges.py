"""What a refusal of ours asks of a client in `WWW-Authenticate` (RFC 6750 §3, RFC 9470 §3)."""

from __future__ import annotations

from tenantgate.errors.access import AUTH_007, InsufficientScope, StepUpRequired
from tenantgate.errors.base import TenantgateError
from tenantgate.sessions.errors import AUTH_020


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
