"""Audit events as marked log lines, where no transaction can hold them. `functions/audit_ingest` stores each once.

Used by the authorizer, too: standard library only, and imported with the first event.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tenantgate.audit.line_limits import LeftOut, LineLimits
from tenantgate.context import at_request_end, current_request
from tenantgate.errors.base import Exact, Figure, Word
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from tenantgate.audit.models import Event
    from tenantgate.audit.types import EventType

# The message and the logger of each line, by which the subscription of the log group filters.
MARK = "audit event"
LOGGER = "tenantgate.audit.line"

_log = logging.getLogger(LOGGER)
# LOG_LEVEL must not drop them.
_log.setLevel(logging.INFO)


class Marked(Record):
    """An audit event without address and personal details, with ids that log lines have anyway.

    `log`: the tenant whose log it is for, `DEPLOYMENT` without a verified one. `issuer` and `user_id`: the user that it
    is about, only if both were verified. `occurred_at`: epoch seconds.
    """

    __slots__ = ()

    event: str
    event_id: str
    log: str
    outcome: str
    actor: str | None
    resource_type: str | None
    resource_id: str | None
    session_id: str | None
    issuer: str | None
    user_id: str | None
    request_id: str | None
    detail: Mapping[str, object]
    occurred_at: float


type Sink = Callable[[Marked], None]


def write_line(event: Marked) -> None:
    """Write the log line of an event."""
    members: dict[str, object] = {}
    for name, value in zip(Marked._fields[1:], event[1:], strict=True):
        # A resource may have the name that an unverified tenant claim gave it. The API's own text is a `Word`.
        is_free = name == "resource_id" and not isinstance(value, Word)
        members[Exact(name)] = value if is_free else _own(value)
    _log.info("audit event", extra={"context": {"event": Word(event.event), "audit": members}})


def _own(value: object) -> object:
    # A caller must not lose or change its event by a request id that looks like a key, by a user id that looks like a
    # token, or by sending the name of a check or the digits of the time. These ids are in lines in clear anyway.
    if isinstance(value, Mapping):
        return {Exact(member): _own(one) for member, one in value.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Figure(value)
    return Exact(value) if isinstance(value, str) else value


_sink: Sink = write_line
_limits = LineLimits()
_counts_reported: list[bool] = []


def deliver_to(sink: Sink | None) -> None:
    """Pass events to `sink`, which neither waits nor raises, instead of writing lines. None: write lines again."""
    global _sink  # noqa: PLW0603
    _sink = sink or write_line


def refused(
    event: EventType,
    log: str,
    *,
    resource_type: str,
    resource_id: str | None = None,
    session_id: str | None = None,
    user: tuple[str, str] | None = None,
    detail: Mapping[str, object],
) -> None:
    """Deliver the event of a refused request, or count it if there were too many. Never raises.

    `user`: issuer and user id, of a caller that was verified.
    """
    if admitted(event, log):
        issuer, user_id = user or (None, None)
        names = {"resource_type": resource_type, "resource_id": resource_id, "session_id": session_id}
        names |= {"issuer": issuer, "user_id": user_id, "request_id": current_request().request_id or None}
        _deliver(_denied(event, log, detail, names))


def admitted(event: EventType, log: str) -> bool:
    """Tell whether an event of a refused request is within the limits; if not, it is counted."""
    if not _counts_reported:
        _counts_reported.append(True)
        at_request_end(_report_counts)
    _report_counts()
    return _limits.admits(log, event)


async def mark(event: Event) -> None:
    """Deliver an event without its user, address and personal details. Never raises."""
    stored = event.stored(None)
    _deliver(
        Marked(
            event=event.type,
            event_id=str(event.id),
            log=event.tenant_id,
            outcome=event.outcome,
            actor=event.actor,
            resource_type=event.resource_type,
            resource_id=stored.resource_id,
            session_id=None if event.session_id is None else str(event.session_id),
            issuer=None,
            user_id=None,
            request_id=event.request_id,
            detail=json.loads(stored.detail),
            occurred_at=event.occurred_at,
        )
    )


def _report_counts() -> None:
    for one in _limits.due():
        _deliver(_left_out(one))


def _left_out(one: LeftOut) -> Marked:
    return _denied("EVENTS_LEFT_OUT", one.log, {"event_type": one.event, "count": one.number}, {})


def _denied(event: EventType, log: str, detail: Mapping[str, object], names: Mapping[str, str | None]) -> Marked:
    return Marked(
        event=event,
        event_id=str(uuid.uuid4()),
        log=log,
        outcome="denied",
        actor=None,
        resource_type=names.get("resource_type"),
        resource_id=names.get("resource_id"),
        session_id=names.get("session_id"),
        issuer=names.get("issuer"),
        user_id=names.get("user_id"),
        request_id=names.get("request_id"),
        detail={name: value for name, value in detail.items() if value is not None},
        occurred_at=time.time(),
    )


def _deliver(event: Marked) -> None:
    try:
        _sink(event)
    except Exception:  # noqa: BLE001
        # The caller gets the response to its request, also if its event is lost.
        _log.exception("an audit event could not be delivered")
