"""The audit events of refused requests, for the authorizer and the web functions. Standard library only.

A request whose credential wasn't verified proves no tenant: its event goes to the deployment's own
log. An expired or revoked token passed every other check, so its event goes to the log of its tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.audit.line import refused
from tenantgate.context import current_request
from tenantgate.errors.access import CrossSiteRequest, InsufficientScope, StepUpRequired
from tenantgate.errors.base import TenantgateError, Word
from tenantgate.errors.tokens import TenantNotAllowed, TokenError, TokenExpired
from tenantgate.tokens.tenant import DEPLOYMENT

if TYPE_CHECKING:
    from tenantgate.audit.types import EventType
    from tenantgate.context import Caller


def record_refused(error: TenantgateError, *, presented: bool, route: str | None = None) -> None:
    """Deliver the audit event of a refused request, if its error has one. Never raises.

    `presented`: the credential that was refused is the request's own. `route`: the pattern of the route that was
    called, as the API defines it.
    """
    detail: dict[str, object] = {"error_code": str(error.error.code), "check": type(error).__name__}
    if isinstance(error, (InsufficientScope, StepUpRequired)):
        record_denied(
            str(error.error.code), _text(error.private.get("check")) or type(error).__name__, _rule(error) or route
        )
    elif isinstance(error, CrossSiteRequest):
        refused("CROSS_SITE_REQUEST_REFUSED", DEPLOYMENT, resource_type="request", detail=detail)
    elif isinstance(error, TenantNotAllowed):
        # Not the tenant's log: it has not admitted the sender.
        verified = error.caller
        tenant_id = _text(error.private.get("tenant_id")) if verified is None else Word(verified.tenant_id)
        refused("TENANT_REFUSED", DEPLOYMENT, resource_type="tenant", resource_id=tenant_id, detail=detail)
    elif isinstance(error, TokenError) and presented:
        event: EventType = "AUTH_TOKEN_EXPIRED" if isinstance(error, TokenExpired) else "AUTH_TOKEN_REFUSED"
        log, _, user = _named(error.caller)
        refused(event, log, resource_type="token", user=user, detail={**detail, "route": route})


def record_denied(error_code: str, check: str, route: str | None) -> None:
    """Deliver the event of a verified caller that may not use a route. Never raises."""
    log, session_id, user = _named(current_request().caller)
    refused(
        "AUTH_PERMISSION_DENIED",
        log,
        resource_type="route",
        resource_id=route,
        session_id=session_id,
        user=user,
        detail={"error_code": error_code, "check": check},
    )


def _named(caller: Caller | None) -> tuple[str, str | None, tuple[str, str] | None]:
    if caller is None:
        return DEPLOYMENT, None, None
    return caller.tenant_id, caller.session_id, (caller.issuer, caller.user_id)


def _rule(error: TenantgateError) -> str | None:
    return _text(error.private.get("rule"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
