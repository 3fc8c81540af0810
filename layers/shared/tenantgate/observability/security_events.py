"""Security events: log lines of one schema, from which an audit trail can be made.

Each line has the message `security event`. Its `context` has the members of `MEMBERS`, each null if it is unknown, and
the event's own `details`; never a secret or a token. docs/OPERATIONS.md has the list, written from `EVENTS`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal, NamedTuple

from tenantgate.context import current_request
from tenantgate.errors.base import TenantgateError, Word

_log = logging.getLogger(__name__)

type Actor = Literal["operator", "user", "provider", "system"]
type Event = Literal[
    "REVOKED",
    "REVOCATION_LIFTED",
    "SESSION_ENDED",
    "SESSION_SECRET_REUSED",
    "BACKCHANNEL_LOGOUT",
    "LOGOUT_TOKEN_REFUSED",
    "SECURITY_EVENT_RECEIVED",
    "SECURITY_EVENT_IGNORED",
    "SECURITY_EVENT_REFUSED",
    "CROSS_SITE_REQUEST_REFUSED",
    "TENANT_REFUSED",
]
type Kind = Literal[
    "token", "session", "user", "client", "tenant", "kid", "logout_token", "security_event_token", "request"
]

# The members of every line, with their meaning.
MEMBERS: Mapping[str, str] = {
    "event": "The name of the event.",
    "kind": "The thing that the event is about.",
    "tenant_id": "The tenant, if it is known and only one.",
    "actor": "`operator` (the command line), `user`, `provider`, or `system`: Tenantgate itself. Null for a request or "
    "token that was refused, because its sender proved nothing.",
    "request_id": "The request in which it happened; null outside of requests.",
}


class Declared(NamedTuple):
    """An event's level, the kinds that it can have, its meaning, and the names of its details."""

    level: Literal["INFO", "WARNING"]
    kinds: tuple[Kind, ...]
    meaning: str
    details: tuple[str, ...] = ()


EVENTS: Mapping[Event, Declared] = {
    "REVOKED": Declared(
        "INFO",
        ("token", "session", "user", "client", "tenant", "kid"),
        "A token, session, user, client, tenant or key id was revoked.",
    ),
    "REVOCATION_LIFTED": Declared("INFO", ("kid",), "A revoked key id is accepted again."),
    "SESSION_ENDED": Declared(
        "INFO",
        ("session",),
        "A session ended before its time-out, and the tokens that its clients got were revoked. A revoked "
        "tenant leaves no line for each session.",
    ),
    "SESSION_SECRET_REUSED": Declared(
        "WARNING",
        ("session",),
        "A cookie that a refresh had replaced was used after its grace: it, or the one after it, was stolen. The "
        "session ends.",
        ("session_id", "issuer", "user_id"),
    ),
    "BACKCHANNEL_LOGOUT": Declared(
        "INFO", ("logout_token",), "The provider ended sessions by a logout token.", ("issuer", "sessions")
    ),
    "LOGOUT_TOKEN_REFUSED": Declared(
        "WARNING",
        ("logout_token",),
        "A logout token was refused: it is forged, a copy, or the provider is misconfigured.",
        ("check", "reason", "private"),
    ),
    "SECURITY_EVENT_RECEIVED": Declared(
        "INFO",
        ("security_event_token",),
        "A trusted issuer's event was acted on, or verifies the stream.",
        ("issuer", "types", "sessions"),
    ),
    "SECURITY_EVENT_IGNORED": Declared(
        "INFO",
        ("security_event_token",),
        "A trusted issuer's event has a type that ends nothing.",
        ("issuer", "types", "sessions"),
    ),
    "SECURITY_EVENT_REFUSED": Declared(
        "WARNING",
        ("security_event_token",),
        "A security event token was refused: it is forged, a copy, or names what isn't its issuer's.",
        ("err", "reason", "private"),
    ),
    "CROSS_SITE_REQUEST_REFUSED": Declared(
        "WARNING",
        ("request",),
        "A web function refused a request of another site's page, or one with a session cookie but without its CSRF "
        "token.",
        ("error_code", "check", "reason", "private"),
    ),
    "TENANT_REFUSED": Declared(
        "WARNING",
        ("tenant",),
        "A web function refused a verified token, session or sign-in, because its tenant isn't registered, is "
        "suspended, or doesn't allow the issuer.",
        ("error_code", "check", "reason", "private"),
    ),
}


def log_security_event(
    event: Event,
    *,
    kind: Kind,
    actor: Actor | None,
    tenant_id: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write the line of an event that has happened. `actor`: who wanted it.

    Raises `ValueError` unless `EVENTS` declares the kind and exactly these details, regardless of their values.
    """
    declared, own = EVENTS[event], details or {}
    if kind not in declared.kinds or {*own} != {*declared.details}:
        raise ValueError(f"{event} is declared with other kinds or details")
    context: dict[str, object] = {
        "event": Word(event),
        "kind": Word(kind),
        "tenant_id": None if tenant_id is None else Word(tenant_id),
        "actor": None if actor is None else Word(actor),
        "request_id": Word(current_request().request_id) or None,
    }
    context |= {Word(name): value for name, value in own.items()}
    _log.log(logging.getLevelNamesMapping()[declared.level], "security event", extra={"context": context})


def log_refused_request(error: TenantgateError) -> None:
    """Write the line of a refused request whose error is a security event."""
    tenant_id = error.private.get("tenant_id")
    for event, declared in EVENTS.items():
        if event == error.security_event:
            log_security_event(
                event,
                kind=declared.kinds[0],
                actor=None,
                tenant_id=tenant_id if isinstance(tenant_id, str) else None,
                details={"error_code": error.error.code, "check": type(error), **reasons_of(error)},
            )


def reasons_of(error: TenantgateError) -> dict[str, object]:
    """Return the details `reason`, in which the log shows the product's own words, and `private`."""
    return {"reason": error, "private": {Word(name): value for name, value in error.private.items()}}
