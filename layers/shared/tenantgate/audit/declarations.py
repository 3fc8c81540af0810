"""The form of an event type's declaration, and the words that events share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tenantgate.masking import DataClass

type Outcome = Literal["success", "failure", "denied"]
type Actor = Literal["operator", "user", "provider", "system"]
type ResourceType = Literal[
    "session",
    "token",
    "user",
    "client",
    "tenant",
    "kid",
    "logout_token",
    "security_event_token",
    "route",
    "request",
    "erasure",
    "audit_events",
    "data_key",
]
# The logs in which a marked line may have an event: only the deployment's own, or also a tenant's.
type Lines = Literal["deployment", "any"]


class Member(NamedTuple):
    """A member of an event's details.

    `type`: of its value: `str`, `int`, or `list` of `str`. `values`: the permitted texts, None for any. `personal`: the
    class of data (`tenantgate/masking.py`) of a member that may name a person: it is only stored encrypted.
    """

    type: type[str | int | list[str]]
    meaning: str
    values: tuple[str, ...] | None = None
    personal: DataClass | None = None


class Declared(NamedTuple):
    """An event type: its meaning, the outcomes and types of resources that it can have, and its details.

    `lines`: the logs for which a marked line (`line.py`) may have it. None: only its act records it.
    """

    meaning: str
    outcomes: tuple[Outcome, ...]
    resources: tuple[ResourceType, ...] = ()
    detail: Mapping[str, Member] = {}
    lines: Lines | None = None


# The most characters of a text in the details. A provider's text must not decide how much the trail stores.
LONGEST_TEXT = 500
