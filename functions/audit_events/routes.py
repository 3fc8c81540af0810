"""`GET /api/v1/audit/events`: the audit events of the caller's tenant, for callers with the scope `audit:read`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, Field, model_validator

from tenantgate.audit.declarations import Outcome, ResourceType
from tenantgate.audit.trail.cursor import LONGEST
from tenantgate.audit.trail.models import Filters, OpenedEvent, Person, written
from tenantgate.audit.trail.service import Reader, TrailService
from tenantgate.audit.trail.wiring import trail_service
from tenantgate.audit.types import EventType
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import InsufficientScope
from tenantgate.errors.base import ValidationFailed
from tenantgate.identity.principal import Principal
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.credential import COOKIE_ERRORS
from tenantgate.web.client_address import client_network
from tenantgate.web.dependencies import CurrentPrincipal
from tenantgate.web.models import StrictModel
from tenantgate.web.openapi import NEEDS_TOKEN_OR_SESSION
from tenantgate.web.openapi_common import BEHIND_AUTHORIZER
from tenantgate.web.responses import BEARER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

SCOPE = "audit:read"
_MOST = 200
# PostgreSQL's texts have no NUL.
_TEXT = r"^[^\x00]+$"
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
# Parameters are texts, also those of numbers, ids and times.
Text = Annotated[str | None, Field(max_length=500, pattern=_TEXT)]
Time = Annotated[AwareDatetime | None, Field(strict=False, ge=_EARLIEST, lt=_LATEST)]


class EventParameters(StrictModel):
    """The filters, all of which apply, and the page."""

    event_type: EventType | None = None
    outcome: Outcome | None = None
    user_id: Text = Field(default=None, description="The user of the event.")
    issuer: Text = Field(default=None, description="The user's issuer. Default: the caller's own.")
    session_id: Annotated[UUID | None, Field(strict=False)] = None
    resource_type: ResourceType | None = None
    resource_id: Text = None
    request_id: Text = None
    recorded_from: Time = Field(
        default=None, alias="from", description="RFC 3339. Only events that were recorded then, or later."
    )
    recorded_to: Time = Field(
        default=None, alias="to", description="RFC 3339. Only events that were recorded before then."
    )
    cursor: Annotated[str | None, Field(max_length=LONGEST)] = Field(
        default=None, description="The `next_cursor` of the page before, which had the same filters."
    )
    limit: Annotated[int, Field(strict=False, ge=1, le=_MOST)] = 50

    @model_validator(mode="after")
    def _issuer_with_its_user(self) -> EventParameters:
        if self.issuer is not None and self.user_id is None:
            raise ValueError("issuer is only for a user_id")
        return self

    def filters(self, caller: Principal) -> Filters:
        return Filters(
            event_type=self.event_type,
            outcome=self.outcome,
            user=None if self.user_id is None else (self.issuer or caller.issuer, self.user_id),
            session_id=self.session_id,
            resource_type=self.resource_type,
            resource_id=self.resource_id,
            request_id=self.request_id,
            recorded_from=self.recorded_from,
            recorded_to=self.recorded_to,
        )


class AuditEvent(StrictModel):
    """An event. Times are RFC 3339 in UTC, to the microsecond."""

    id: str
    event_type: str
    outcome: str
    actor: str | None = Field(description="`operator`, `user`, `provider` or `system`. Null: it proved nothing.")
    resource_type: str | None
    resource_id: str | None
    request_id: str | None
    session_id: str | None
    person: Person | None = Field(
        description="The state of the event's personal data. `erased`: their key was destroyed. `unavailable`: they "
        "don't open, because the key is lost or the row was changed. Null: it has none."
    )
    user_ref: str | None = Field(description="Equal in all events of one user under one key.")
    issuer: str | None
    user_id: str | None
    address: str | None = Field(description="The network of the request: the address without its last part.")
    detail: dict[str, object] = Field(description="By type, see docs/AUDIT.md.")
    occurred_at: str
    recorded_at: str


class AuditEventsResponse(StrictModel):
    events: list[AuditEvent] = Field(description="The newest first.")
    next_cursor: str | None = Field(
        description="For the next page. Null after the last event. A page examines 5,000 events at most: with a "
        "`next_cursor`, it may be short or empty."
    )


async def auditor(principal: CurrentPrincipal) -> Principal:
    """Require the scope here too: it doesn't depend on the route rules of a deployment."""
    if SCOPE not in principal.scopes:
        raise InsufficientScope("missing_scope", scope=SCOPE)
    return principal


@router.get(
    "/events",
    operation_id="listAuditEvents",
    summary="List audit events",
    openapi_extra={**NEEDS_TOKEN_OR_SESSION, **BEHIND_AUTHORIZER},
    responses=error_responses(
        *BEARER_ERRORS,
        *COOKIE_ERRORS,
        InsufficientScope,
        ValidationFailed,
        DatabaseUnreachable,
        KeyServiceUnavailable,
        SecretsUnavailable,
    ),
)
async def list_audit_events(
    request: Request,
    parameters: Annotated[EventParameters, Query()],
    caller: Annotated[Principal, Depends(auditor)],
    service: Annotated[TrailService, Depends(trail_service)],
) -> AuditEventsResponse:
    """Return events of the caller's tenant, the newest first. Needs the scope `audit:read`.

    Each page is recorded as `DATA_ACCESS` before it is returned. `SYS_009`: personal data can't be decrypted now."""
    reader = Reader(
        caller.tenant_id,
        caller.issuer,
        caller.user_id,
        None if caller.session_id is None else UUID(caller.session_id),
        client_network(request, trusted_proxies=request.app.settings.trusted_proxies),
    )
    page = await service.page(reader, parameters.filters(caller), limit=parameters.limit, after=parameters.cursor)
    return AuditEventsResponse(events=list(map(_event, page.events)), next_cursor=page.cursor)


def _event(event: OpenedEvent) -> AuditEvent:
    return AuditEvent(
        id=str(event.id),
        event_type=event.event_type,
        outcome=event.outcome,
        actor=event.actor,
        resource_type=event.resource_type,
        resource_id=event.resource_id,
        request_id=event.request_id,
        session_id=None if event.session_id is None else str(event.session_id),
        person=event.person,
        user_ref=event.user_ref,
        issuer=event.issuer,
        user_id=event.user_id,
        address=event.address,
        detail=dict(event.detail),
        occurred_at=written(event.occurred_at),
        recorded_at=written(event.recorded_at),
    )
