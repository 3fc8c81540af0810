"""Compare acts with audit events, transaction by transaction: no act without its event, no event without its act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tenantgate.revoked.names import session_name
from tests.fixtures.crashes.acts import Key
from tests.fixtures.crashes.witness import Noted

_ENDS = ("AUTH_LOGOUT", "SESSION_ENDED")
# The kinds of acts by the types of their events.
_OF_SESSIONS = {"AUTH_LOGIN_SUCCESS": "start", "AUTH_TOKEN_REFRESHED": "refresh"} | dict.fromkeys(_ENDS, "end")
_OF_TENANTS = {"TENANT_REGISTERED": "registration", "TENANT_CHANGED": "tenant"}
_OF_REVOCATIONS = {"REVOKED": "revocation", "REVOCATION_LIFTED": "lift"}
_OF_TOKENS = frozenset({"BACKCHANNEL_LOGOUT", "SECURITY_EVENT_RECEIVED", "SECURITY_EVENT_IGNORED"})
# Events of refused requests, and of the sealer: nothing else was changed.
WITHOUT_ACT = frozenset({"AUDIT_SEALED", "AUTH_LOGIN_FAILED", "LOGOUT_TOKEN_REFUSED", "SECURITY_EVENT_REFUSED"})


class Pair(NamedTuple):
    """An act, as its event and as its row tell it."""

    xid: str
    kind: str
    tenant: str | None
    resource: str | None


def keys_of(acts: Sequence[Noted]) -> frozenset[Key]:
    """Return the keys of acts."""
    return frozenset(key for one in acts if (key := _key(one)) is not None)


def _key(one: Noted) -> Key | None:
    row = one.after or one.before
    keys: dict[tuple[str, str], tuple[str, str]] = {
        ("sessions", "INSERT"): ("started", "user_id"),
        ("sessions", "UPDATE"): ("rotated", "previous_hash"),
        ("sessions", "DELETE"): ("ended", "id"),
        ("revocations", "INSERT"): ("revoked", "name"),
        ("revocations", "UPDATE"): ("revoked", "name"),
        ("revocations", "DELETE"): ("lifted", "name"),
        ("seen_token_ids", "UPDATE"): ("done", "token_hash"),
        ("tenants", "INSERT"): ("registered", "tenant_id"),
    }
    if (one.relation, one.operation) == ("tenants", "UPDATE"):
        return "changed", f"{row['tenant_id']} {row['name']}"
    found = keys.get((one.relation, one.operation))
    # The digests are of the type bytea.
    return None if found is None else (found[0], str(row[found[1]]).removeprefix("\\x"))


def compare(acts: Sequence[Noted]) -> Iterator[str]:
    """Yield a line for each act that its transaction doesn't record, and for each event without its act."""
    changes = Counter(_acts(acts))
    events = Counter(_events(acts))
    for pair, number in (changes - events).items():
        yield f"{number} × {pair.kind} of {pair.tenant} {pair.resource} has no event in its transaction"
    for pair, number in (events - changes).items():
        yield f"{number} × the event {pair.kind} of {pair.tenant} {pair.resource} has no act in its transaction"


def _acts(acts: Sequence[Noted]) -> Iterator[Pair]:
    # The end of a session revokes its tokens: that has no separate event.
    ending = {one.xid for one in acts if one.relation == "sessions" and one.operation == "DELETE"}
    for one in acts:
        match one.relation, one.operation:
            case "sessions", "INSERT":
                yield Pair(one.xid, "start", one.after["tenant_id"], one.after["id"])
            case "sessions", "UPDATE":
                yield Pair(one.xid, "refresh", one.after["tenant_id"], one.after["id"])
            case "sessions", "DELETE":
                yield Pair(one.xid, "end", one.before["tenant_id"], one.before["id"])
            case "revocations", "DELETE":
                yield Pair(one.xid, "lift", None, one.before["kind"])
            case "revocations", _ if one.xid not in ending:
                yield Pair(one.xid, "revocation", None, one.after["kind"])
            case "seen_token_ids", _:
                yield Pair(one.xid, "token", None, None)
            case "tenants", "INSERT":
                yield Pair(one.xid, "registration", one.after["tenant_id"], one.after["tenant_id"])
            case "tenants", _:
                yield Pair(one.xid, "tenant", one.after["tenant_id"], one.after["tenant_id"])


def _events(acts: Sequence[Noted]) -> Iterator[Pair]:
    for one in acts:
        if one.relation != "audit_events" or (kind := one.after["event_type"]) in WITHOUT_ACT:
            continue
        event, tenant = one.after, one.after["tenant_id"]
        if kind in _OF_SESSIONS:
            yield Pair(one.xid, _OF_SESSIONS[kind], tenant, event["session_id"])
        elif kind in _OF_TENANTS:
            yield Pair(one.xid, _OF_TENANTS[kind], tenant, event["resource_id"])
        elif kind in _OF_REVOCATIONS:
            yield Pair(one.xid, _OF_REVOCATIONS[kind], None, event["resource_type"])
        elif kind in _OF_TOKENS:
            yield Pair(one.xid, "token", None, None)
        else:
            yield Pair(one.xid, kind, tenant, event["resource_id"])


def compare_tables(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield what a reader of the tables, who knows no transaction, finds wrong.

    `tables`: the rows of `sessions`, `revocations`, `tenants`, `audit_events`, `audit_queue` and `audit_leaves`.
    """
    sealed = {row["id"] for table in ("audit_queue", "audit_leaves") for row in tables[table]}
    if odd := {row["id"] for row in tables["audit_events"]} ^ sealed:
        yield f"{len(odd)} events are neither sealed nor queued, or are one of these and aren't there"
    by_type: dict[str, Counter[tuple[str, str]]] = {}
    for event in tables["audit_events"]:
        named = event["resource_id"] if event["session_id"] is None else event["session_id"]
        by_type.setdefault(event["event_type"], Counter())[event["tenant_id"], str(named)] += 1
    started, refreshed = by_type.get("AUTH_LOGIN_SUCCESS", Counter()), by_type.get("AUTH_TOKEN_REFRESHED", Counter())
    ended = sum((by_type.get(kind, Counter()) for kind in _ENDS), Counter())
    live = {(row["tenant_id"], str(row["id"])): row["version"] for row in tables["sessions"]}
    for session, version in live.items():
        if refreshed[session] != version - 1:
            yield f"{refreshed[session]} refreshes of a session with the version {version} are recorded"
    if wrong := [session for session in live | ended if started[session] != 1]:
        yield f"{len(wrong)} sessions have not one sign-in"
    if wrong := [session for session in started if ended[session] != (session not in live)]:
        yield f"{len(wrong)} sessions have ended without one event, or have one and are there"
    revoked = {row["name"] for row in tables["revocations"] if row["kind"] == "session"}
    if wrong := [session for session in ended if session_name(*session) not in revoked]:
        yield f"{len(wrong)} sessions have an end and aren't revoked"
    if revoked - {session_name(*session) for session in (*started, *by_type.get("REVOKED", ()))}:
        yield "a session is revoked and has no event"
    registered = by_type.get("TENANT_REGISTERED", Counter())
    if wrong := [row["tenant_id"] for row in tables["tenants"] if registered[row["tenant_id"], row["tenant_id"]] != 1]:
        yield f"{len(wrong)} tenants have not one registration"
