"""Read the marked lines of `line.py` from a log, and refuse every other form.

A request can't forge a line: every line is one JSON text in which a caller's text is a quoted value, and only
`line.py` writes lines with this logger, message and context. The declaration is checked because a log group has lines
of other code and of earlier releases, too.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import cast, get_args
from uuid import UUID

from tenantgate.audit.declarations import LONGEST_TEXT, Actor, Outcome, ResourceType
from tenantgate.audit.line import LOGGER, MARK, Marked
from tenantgate.audit.models import Event, StoredUser
from tenantgate.audit.types import EVENT_TYPES, EventType
from tenantgate.tokens.tenant import DEPLOYMENT

# Characters of a line. Ours have fewer than 5,000 unless a text in it is escaped.
LONGEST_LINE = 16 * 1024
# Seconds: events are delivered at most as long after they happened as the dead-letter queue keeps them, and clocks of
# AWS differ by less than this.
OLDEST = 15 * 86_400.0
_NEWEST = 300.0
_LONGEST_ID = 256
_REQUEST_ID = re.compile(r"[A-Za-z0-9._=-]{1,128}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MEMBERS = {*Marked._fields} - {"event"}


class LineRefused(Exception):
    """A line of another form than our events. `reason`: which check failed, never a part of the line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_line(text: str, *, is_tenant: Callable[[str], bool], clock: Callable[[], float] = time.time) -> Marked:
    """Return the event of a marked line. `is_tenant`: may a token name this tenant?

    Raises `LineRefused`.
    """
    if len(text) > LONGEST_LINE:
        raise LineRefused("too long")
    line = _object(_parsed(text))
    if line.get("logger") != LOGGER or line.get("message") != MARK:
        raise LineRefused("not marked")
    context = _object(line.get("context"))
    audit = _object(context.get("audit"))
    if context.keys() != {"event", "audit"} or audit.keys() != _MEMBERS:
        raise LineRefused("members")
    marked = Marked(**{"event": context["event"], **audit})  # type: ignore[arg-type]
    _check_names(marked)
    _check_log(marked, is_tenant)
    at = marked.occurred_at
    if type(at) not in (int, float) or not clock() - OLDEST <= at <= clock() + _NEWEST:
        raise LineRefused("time")
    event_of(marked, None)
    return marked


def event_of(marked: Marked, user: StoredUser | None) -> Event:
    """Return the event in the form of the service. `user`: the one of `issuer` and `user_id`, encrypted.

    Raises `LineRefused` unless its type declares every part.
    """
    try:
        return Event(
            cast("EventType", marked.event),
            marked.log,
            cast("Outcome", marked.outcome),
            cast("Actor | None", marked.actor),
            cast("ResourceType | None", marked.resource_type),
            marked.resource_id,
            None if marked.session_id is None else UUID(marked.session_id),
            user,
            detail=marked.detail,
            id=UUID(marked.event_id),
            request_id=marked.request_id,
            occurred_at=marked.occurred_at,
        )
    except (ValueError, TypeError):
        raise LineRefused("not declared") from None


def _parsed(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise LineRefused("not JSON") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_number(name: str) -> float:
    raise ValueError(f"{name} isn't JSON")


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise LineRefused("members")
    return value


def _check_names(marked: Marked) -> None:
    if not isinstance(marked.event, str) or marked.event not in EVENT_TYPES:
        raise LineRefused("type")
    if not _matches(_UUID, marked.event_id):
        raise LineRefused("event id")
    if marked.session_id is not None and not _matches(_UUID, marked.session_id):
        raise LineRefused("session id")
    if marked.request_id is not None and not _matches(_REQUEST_ID, marked.request_id):
        raise LineRefused("request id")
    if marked.resource_id is not None and not _is_text(marked.resource_id, LONGEST_TEXT):
        raise LineRefused("resource id")
    if marked.actor is not None and marked.actor not in get_args(Actor.__value__):
        raise LineRefused("actor")
    if not isinstance(marked.detail, dict):
        raise LineRefused("detail")


def _check_log(marked: Marked, is_tenant: Callable[[str], bool]) -> None:
    lines = EVENT_TYPES[cast("EventType", marked.event)].lines
    if lines is None:
        raise LineRefused("type")
    user = (marked.issuer, marked.user_id)
    if marked.log == DEPLOYMENT:
        if user != (None, None):
            raise LineRefused("user")
        return
    if lines == "deployment" or not isinstance(marked.log, str) or not is_tenant(marked.log):
        raise LineRefused("log")
    if user != (None, None) and not all(_is_text(one, _LONGEST_ID) for one in user):
        raise LineRefused("user")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
