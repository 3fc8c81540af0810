"""The types of audit events, and the schema of each one's details. docs/AUDIT.md is written from this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tenantgate.audit.declarations import Declared, Member, ResourceType

type EventType = Literal[
    "AUTH_LOGIN_SUCCESS",
    "AUTH_LOGIN_FAILED",
    "AUTH_LOGOUT",
    "AUTH_TOKEN_REFRESHED",
    "SESSION_ENDED",
    "SESSION_SECRET_REUSED",
    "BACKCHANNEL_LOGOUT",
    "LOGOUT_TOKEN_REFUSED",
    "REVOKED",
    "REVOCATION_LIFTED",
    "SECURITY_EVENT_RECEIVED",
    "SECURITY_EVENT_IGNORED",
    "SECURITY_EVENT_REFUSED",
    "TENANT_REGISTERED",
    "TENANT_CHANGED",
    "AUTH_TOKEN_EXPIRED",
    "AUTH_TOKEN_REFUSED",
    "AUTH_PERMISSION_DENIED",
    "CROSS_SITE_REQUEST_REFUSED",
    "TENANT_REFUSED",
    "EVENTS_LEFT_OUT",
    "PRIVACY_EXPORTED",
    "USER_ERASED",
    "DATA_ACCESS",
    "DATA_MODIFIED",
    "AUDIT_RETENTION",
    "AUDIT_SEALED",
]

_ERROR_CODE = Member(str, "The code of the error that the caller got (docs/ERROR_CODES.md).")
_CHECK = Member(str, "The name of the check that failed.")
_ROUTE = Member(str, "The route that was called: the API's id, and the method and pattern as it defines them.")
_ISSUER = Member(str, "The issuer of the token.")
_SESSIONS = Member(int, "The number of sessions that ended.")
_SIGNATURE = Member(str, "The signature of these numbers (`tenantgate/transparency/statements.py`).")
_TYPES = Member(list, "The types of the events in the token.")
_END = Member(
    str,
    "Why it ended.",
    values=(
        "sign_out",
        "ended",
        "new_sign_in",
        "secret_reused",
        "revoked",
        "refresh_refused",
        "provider_sign_out",
        "erased",
        "timed_out",
    ),
)
_REVOKED: tuple[ResourceType, ...] = ("token", "session", "user", "client", "tenant", "kid")

EVENT_TYPES: Mapping[EventType, Declared] = {
    "AUTH_LOGIN_SUCCESS": Declared(
        "A user signed in, and a session started.",
        ("success",),
        ("session",),
        {
            "amr": Member(list, "How the user signed in, as the provider states it (RFC 8176)."),
            "acr": Member(str, "The level of the sign-in, as the provider states it."),
            "device": Member(str, "The browser and system.", personal="device"),
        },
    ),
    "AUTH_LOGIN_FAILED": Declared(
        "A sign-in failed. It is in the deployment's own log, because nothing proves its tenant.",
        ("failure", "denied"),
        (),
        {"error_code": _ERROR_CODE, "check": _CHECK},
        lines="deployment",
    ),
    "AUTH_LOGOUT": Declared("A user signed out.", ("success",), ("session",), {"reason": _END}),
    "AUTH_TOKEN_REFRESHED": Declared(
        "A session got new tokens, and its cookie was replaced.",
        ("success",),
        ("session",),
        {"previous_session_id": Member(str, "The session's id before, if its rights changed.")},
    ),
    "SESSION_ENDED": Declared(
        "A session ended, except by a sign-out. After a time-out, the sweep records it. A revoked tenant leaves no "
        "event for each session.",
        ("success",),
        ("session",),
        {"reason": _END},
    ),
    "SESSION_SECRET_REUSED": Declared(
        "A cookie that a refresh had replaced was used after its grace: it, or the one after it, was stolen. The "
        "session ends.",
        ("denied",),
        ("session",),
    ),
    "BACKCHANNEL_LOGOUT": Declared(
        "The provider ended sessions by a logout token. Each has its own `SESSION_ENDED` in its tenant.",
        ("success",),
        ("logout_token",),
        {"issuer": _ISSUER, "sessions": _SESSIONS},
    ),
    "LOGOUT_TOKEN_REFUSED": Declared(
        "A logout token was refused: it is forged, a copy, or the provider is misconfigured.",
        ("denied",),
        ("logout_token",),
        {"check": _CHECK},
        lines="deployment",
    ),
    "REVOKED": Declared("A token, session, user, client, tenant or key id was revoked.", ("success",), _REVOKED),
    "REVOCATION_LIFTED": Declared("A revoked key id is accepted again.", ("success",), ("kid",)),
    "SECURITY_EVENT_RECEIVED": Declared(
        "A trusted issuer's event was acted on, or verifies the stream.",
        ("success",),
        ("security_event_token",),
        {"issuer": _ISSUER, "types": _TYPES, "sessions": _SESSIONS},
    ),
    "SECURITY_EVENT_IGNORED": Declared(
        "A trusted issuer's event has a type that ends nothing.",
        ("success",),
        ("security_event_token",),
        {"issuer": _ISSUER, "types": _TYPES, "sessions": _SESSIONS},
    ),
    "SECURITY_EVENT_REFUSED": Declared(
        "A security event token was refused: it is forged, a copy, or names what isn't its issuer's.",
        ("denied",),
        ("security_event_token",),
        {"err": Member(str, "The error that the sender got (RFC 8935 §2.4).")},
        lines="deployment",
    ),
    "TENANT_REGISTERED": Declared("A tenant was added to the registry.", ("success",), ("tenant",)),
    "TENANT_CHANGED": Declared(
        "An operator changed, suspended or activated a tenant.",
        ("success",),
        ("tenant",),
        {
            "changed": Member(list, "The names of the changed fields."),
            "status": Member(str, "The new status, if it was set.", values=("active", "suspended")),
        },
    ),
    "AUTH_TOKEN_EXPIRED": Declared(
        "A token was refused only because it had expired.",
        ("denied",),
        ("token",),
        {"error_code": _ERROR_CODE, "check": _CHECK, "route": _ROUTE},
        lines="any",
    ),
    "AUTH_TOKEN_REFUSED": Declared(
        "A token was refused. If it was revoked, this is in its tenant's log. Otherwise nothing proves its tenant: it "
        "may be forged.",
        ("denied",),
        ("token",),
        {"error_code": _ERROR_CODE, "check": _CHECK, "route": _ROUTE},
        lines="any",
    ),
    "AUTH_PERMISSION_DENIED": Declared(
        "A verified caller lacks what the route's rule requires, or no rule allows the request. The resource is the "
        "rule's route.",
        ("denied",),
        ("route",),
        {"error_code": _ERROR_CODE, "check": _CHECK},
        lines="any",
    ),
    "CROSS_SITE_REQUEST_REFUSED": Declared(
        "A request of another site's page was refused, or one with a session cookie but without its CSRF token.",
        ("denied",),
        ("request",),
        {"error_code": _ERROR_CODE, "check": _CHECK},
        lines="deployment",
    ),
    "TENANT_REFUSED": Declared(
        "A verified token, session or sign-in was refused, because its tenant isn't registered, is suspended, or "
        "doesn't allow the issuer. It is in the deployment's own log: the tenant has not admitted the sender.",
        ("denied",),
        ("tenant",),
        {"error_code": _ERROR_CODE, "check": _CHECK},
        lines="deployment",
    ),
    "EVENTS_LEFT_OUT": Declared(
        "There were too many refused requests for an event each. This is the number of those that have none.",
        ("denied",),
        (),
        {
            "event_type": Member(str, "The type of the events that were left out."),
            "count": Member(int, "The number of events."),
        },
        lines="any",
    ),
    "PRIVACY_EXPORTED": Declared(
        "A user got a page of its personal data.",
        ("success",),
        ("user",),
        {"records": Member(int, "The number of records of the page.")},
    ),
    "USER_ERASED": Declared(
        "A person was erased. It names no person: the id is that of the entry in the erasure ledger.",
        ("success",),
        ("erasure",),
        {
            "source": Member(str, "What asked for it.", values=("request", "command", "replay")),
            "sessions": _SESSIONS,
            "keys": Member(int, "The number of data keys that were destroyed."),
        },
    ),
    "DATA_ACCESS": Declared(
        "Audit events of this log were read. The record is written before anything is returned.",
        ("success",),
        ("audit_events",),
        {
            "operation": Member(str, "How they were read.", values=("list", "tail", "export")),
            "filters": Member(list, "The names of the filters, without their values."),
            "form": Member(str, "Whether personal data were masked.", values=("masked", "unmasked")),
            "events": Member(int, "The number of events on a page of the API."),
            "page": Member(str, "Whether the page is the first one.", values=("first", "next")),
            "from": Member(str, "The begin of the time that was exported."),
            "to": Member(str, "The end of the time that was exported."),
        },
    ),
    "DATA_MODIFIED": Declared(
        "An operator rotated a data key, or wrapped it with another key-encryption key.",
        ("success",),
        ("data_key",),
        {
            "change": Member(str, "What was done.", values=("rotated", "rewrapped")),
            "purpose": Member(str, "The purpose of the key."),
        },
    ),
    "AUDIT_RETENTION": Declared(
        "Retention removed the contents of events: those of the positions of the log that the detail names.",
        ("success",),
        ("audit_events",),
        {
            "first": Member(int, "The first position: 0, because a later statement replaces the earlier ones."),
            "last": Member(int, "The last position."),
            "before": Member(int, "The time before which they all were recorded, in microseconds since 1970."),
            "signature": _SIGNATURE,
        },
    ),
    "AUDIT_SEALED": Declared(
        "The sealer states, about every hour, that the events of all logs before a time are sealed. It is in the "
        "deployment's own log.",
        ("success",),
        ("audit_events",),
        {
            "at": Member(int, "The time of the statement, in microseconds since 1970."),
            "through": Member(int, "The time before which all were sealed, in microseconds since 1970."),
            "signature": _SIGNATURE,
        },
    ),
}
