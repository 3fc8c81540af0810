"""An audit event, and the form in which it is stored."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID, uuid4

from tenantgate.audit.declarations import LONGEST_TEXT, Actor, Member, Outcome, ResourceType
from tenantgate.audit.types import EVENT_TYPES, EventType
from tenantgate.context import current_request
from tenantgate.crypto.envelopes import DataKey, KeyOwner

_PURPOSE = "audit-subject"
_TABLE = "audit_events"
_MOST_TEXTS = 20


class StoredUser(NamedTuple):
    """A user as events name it. Neither part says who it is without the user's key.

    `digest`: 32 bytes, equal in all events under one key. `encrypted`: the issuer and the user id. It is bound to the
    digest: it opens in every event of the user, and in no event of another user.
    """

    digest: bytes
    encrypted: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, of a declared type. Raises `ValueError` unless its type declares every part.

    `tenant_id`: the tenant in whose log it is, `DEPLOYMENT` without a verified one. `user`: the one that it is about.
    `resource_id`: never names a person. `address`: masked. `detail`: members that are None are left out.
    `occurred_at`: epoch seconds.
    """

    type: EventType
    tenant_id: str
    outcome: Outcome = "success"
    actor: Actor | None = None
    resource_type: ResourceType | None = None
    resource_id: str | None = None
    session_id: UUID | None = None
    user: StoredUser | None = field(default=None, repr=False)
    address: str | None = field(default=None, repr=False)
    detail: Mapping[str, object] = field(default_factory=dict, repr=False)
    id: UUID = field(default_factory=uuid4)
    request_id: str | None = field(default_factory=lambda: current_request().request_id or None)
    occurred_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        declared = EVENT_TYPES[self.type]
        if self.outcome not in declared.outcomes or (self.resource_type or None) not in (declared.resources or (None,)):
            raise ValueError(f"{self.type} is declared with other outcomes or resources")
        if self.resource_type == "user" and self.resource_id is not None:
            raise ValueError("a user is named by `user`, which is encrypted")
        for name, value in self.detail.items():
            member = declared.detail.get(name)
            if member is None or (value is not None and not _fits(value, member)):
                raise ValueError(f"{self.type} is declared with another detail than {name}")

    def stored(self, key: DataKey | None) -> StoredEvent:
        """Return the row's values. `key`: of the user, or of the log for an event without a user.

        Without the key, the address and personal details are left out: no act waits for a key.
        """
        declared = EVENT_TYPES[self.type].detail
        given = {name: _shortened(value) for name, value in self.detail.items() if value is not None}
        personal = {name: value for name, value in given.items() if declared[name].personal}
        if self.address is not None:
            personal["address"] = self.address
        encrypted = None
        if personal and key is not None:
            encrypted = key.encrypt(_json(personal).encode(), place=detail_place(self.id))
        return StoredEvent(
            id=self.id,
            tenant_id=self.tenant_id,
            event_type=self.type,
            outcome=self.outcome,
            actor=self.actor,
            resource_type=self.resource_type,
            resource_id=None if self.resource_id is None else _storable(self.resource_id),
            request_id=self.request_id,
            session_id=self.session_id,
            user_digest=None if self.user is None else self.user.digest,
            encrypted_user=None if self.user is None else self.user.encrypted,
            encrypted_detail=encrypted,
            detail=_json({name: value for name, value in given.items() if name not in personal}),
            occurred_at=self.occurred_at,
        )


class StoredEvent(NamedTuple):
    """The values of a row of `audit_events`, by its columns. `occurred_at`: epoch seconds. `detail`: JSON."""

    id: UUID
    tenant_id: str
    event_type: str
    outcome: str
    actor: str | None
    resource_type: str | None
    resource_id: str | None
    request_id: str | None
    session_id: UUID | None
    user_digest: bytes | None
    encrypted_user: str | None
    encrypted_detail: str | None
    detail: str
    occurred_at: float


def user_owner(tenant_id: str, issuer: str, user_id: str) -> KeyOwner:
    """Return the owner of the key under which a user's events are encrypted."""
    return KeyOwner(tenant_id, _PURPOSE, f"{issuer}\0{user_id}")


def log_owner(tenant_id: str) -> KeyOwner:
    """Return the owner of the key for the events of a log that are about no user."""
    return KeyOwner(tenant_id, _PURPOSE)


def stored_user(key: DataKey, issuer: str, user_id: str) -> StoredUser:
    """Return the user as its events name it. `key`: the user's."""
    digest = user_digest(key)
    named = _json({"issuer": issuer, "user_id": user_id})
    return StoredUser(digest, key.encrypt(named.encode(), place=user_place(digest)))


def user_digest(key: DataKey) -> bytes:
    """Return the digest by which the events under a user's key are found."""
    return key.digest("user")


def user_place(digest: bytes) -> tuple[str, ...]:
    """Return the place of an encrypted user (`DataKey.encrypt`)."""
    return (_TABLE, "encrypted_user", digest.hex())


def detail_place(event_id: UUID) -> tuple[str, ...]:
    """Return the place of encrypted details (`DataKey.encrypt`)."""
    return (_TABLE, "encrypted_detail", str(event_id))


def _fits(value: object, member: Member) -> bool:
    if member.type is list:
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if type(value) is bool or not isinstance(value, member.type):
        return False
    return member.values is None or value in member.values


def _shortened(value: object) -> object:
    if isinstance(value, str):
        return _storable(value)
    return [_storable(one) for one in value[:_MOST_TEXTS]] if isinstance(value, list | tuple) else value


def _storable(text: str) -> str:
    # PostgreSQL's jsonb can't hold a NUL, nor half a surrogate pair: neither may keep an event from being recorded.
    return text[:LONGEST_TEXT].replace("\0", "\ufffd").encode(errors="replace").decode()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
