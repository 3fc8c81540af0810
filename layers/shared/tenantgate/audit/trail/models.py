"""Queries for audit events, and events whose personal data were decrypted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from tenantgate.audit.declarations import Outcome
from tenantgate.audit.types import EVENT_TYPES
from tenantgate.masking import mask

# The state of an event's user, address and personal details: shown; their key was destroyed, because the person was
# erased; or they don't open, because the key is lost or the row was changed.
type Person = Literal["known", "erased", "unavailable"]

_PARAMETERS = {"user": "user_id", "recorded_from": "from", "recorded_to": "to"}
# Enough to see which events are of one user. It tells no more than the digest, which the row keeps.
_REFERENCE_BYTES = 8


class Position(NamedTuple):
    """The place of an event in its log: when it was recorded, and its id."""

    recorded_at: datetime
    event_id: UUID


FIRST = Position(datetime.min.replace(tzinfo=UTC), UUID(int=0))
LAST = Position(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class StoredRow(NamedTuple):
    """A row of `audit_events`. `detail`: JSON."""

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
    occurred_at: datetime
    created_at: datetime

    @property
    def position(self) -> Position:
        return Position(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions on events; None for any. `recorded_from` is included, `recorded_to` isn't.

    `user`: issuer and user id.
    """

    event_type: str | None = None
    outcome: Outcome | None = None
    user: tuple[str, str] | None = field(default=None, repr=False)
    session_id: UUID | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None

    def names(self) -> Sequence[str]:
        """Return the names of the conditions, as the API calls them. None has a person's data."""
        return [_PARAMETERS.get(name, name) for name in self.__slots__ if getattr(self, name) is not None]

    def texts(self) -> Sequence[str]:
        """Return a text for each condition, in a fixed order: equal for equal filters."""
        user = ("", "") if self.user is None else self.user
        values = (getattr(self, name) for name in self.__slots__ if name != "user")
        return [*user, *("" if value is None else str(value) for value in values)]


class Query(NamedTuple):
    """A page: up to `limit` events of a tenant before a position, the newest first.

    At most about `examined` rows are read, so that a filter that matches little costs no more than one that matches
    everything. `digests`: the user's, under each of the user's keys; None for any user.
    """

    tenant_id: str
    filters: Filters
    digests: Sequence[bytes] | None
    before: Position
    limit: int
    examined: int


class Rows(NamedTuple):
    """A page of rows, and the position at which the next one begins; None after the last event."""

    rows: Sequence[StoredRow]
    following: Position | None


@dataclass(frozen=True, slots=True)
class OpenedEvent:
    """An event. `user_ref`: equal in all events of one user under one key. `person`: None for an event without any.

    `detail` has the personal members too if `person` is `known`. Times are exact to the microsecond, in UTC.
    """

    id: UUID
    tenant_id: str
    event_type: str
    outcome: str
    actor: str | None
    resource_type: str | None
    resource_id: str | None
    request_id: str | None
    session_id: UUID | None
    person: Person | None
    user_ref: str | None
    issuer: str | None = field(repr=False)
    user_id: str | None = field(repr=False)
    address: str | None = field(repr=False)
    detail: Mapping[str, object] = field(repr=False)
    occurred_at: datetime
    recorded_at: datetime

    def masked(self) -> OpenedEvent:
        """Return the event with its personal data masked (`tenantgate/masking.py`)."""
        return replace(
            self,
            user_id=None if self.user_id is None else mask("identifier", self.user_id),
            address=None if self.address is None else mask("address", self.address),
            detail={name: self._masked(name, value) for name, value in self.detail.items()},
        )

    def _masked(self, name: str, value: object) -> object:
        declared = next((one.detail for known, one in EVENT_TYPES.items() if known == self.event_type), {})
        # A later version's type: nothing says that a member isn't personal, and its own row says that it is clear text.
        member = declared.get(name)
        if member is None or member.personal is None:
            return value
        texts = value if isinstance(value, list) else [value]
        hidden = [mask(member.personal, str(text)) for text in texts]
        return hidden if isinstance(value, list) else hidden[0]


def reference(digest: bytes) -> str:
    """Return a text that is equal for equal users, without their names."""
    return digest[:_REFERENCE_BYTES].hex()


def written(moment: datetime) -> str:
    """Return a time as RFC 3339 text: `2026-11-27T03:22:08.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
