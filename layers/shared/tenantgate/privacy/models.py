"""A person in a tenant, an erasure, and its entry in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self
from uuid import UUID

from tenantgate.audit.models import user_owner
from tenantgate.crypto.envelopes import KeyOwner

# An erasure can't be undone: a sign-in that is older isn't enough.
RECENT_SECONDS = 300
# The beginning of the names of anchored entries.
LEDGER = "erasures/"
# The origin of an erasure; `replay`: a restored database had forgotten it.
type Source = Literal["request", "command", "replay"]
type Record = Mapping[str, object]

_FORM = 1
_MEMBERS = {"form", "id", "tenant_id", "key_ids", "erased_at"}


class Subject(NamedTuple):
    """A person as a tenant knows it: another tenant or issuer may use the same user id."""

    tenant_id: str
    issuer: str
    user_id: str

    @property
    def owners(self) -> Sequence[KeyOwner]:
        """The owners of the data keys that belong only to this person."""
        return (user_owner(*self),)


class RetentionRule(NamedTuple):
    """The time for which a table keeps its rows, and the command or function that removes them."""

    table: str
    kept: str
    by: str


RETENTION: Sequence[RetentionRule] = (
    RetentionRule(
        "sessions",
        "until SESSION_IDLE_MINUTES or SESSION_ABSOLUTE_HOURS, or the tenant's shorter limits, have passed",
        "session_sweep",
    ),
    RetentionRule("session_secrets, session_lookup", "as long as their session", "session_sweep"),
    RetentionRule("seen_token_ids", "until the token has expired", "session_sweep"),
    RetentionRule("revocations", "until nothing is left to refuse; key ids until they are lifted", "session_sweep"),
    RetentionRule("provider_*", "until they expire; only in development", "session_sweep"),
    RetentionRule("audit_events", "as the retention of the audit trail is set; otherwise they stay", "docs/AUDIT.md"),
    RetentionRule("audit_leaves, audit_checkpoints", "they stay: they are hashes", "-"),
    RetentionRule("data_keys", "they stay; a destroyed one without its key and digest", "-"),
    RetentionRule("privacy_erasures", "they stay: they name no person", "-"),
)


class LedgerFormatError(ValueError):
    """The text isn't an entry of the ledger."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An erasure as the ledger has it. It names no person, and no hash of one.

    `key_ids`: of the data keys that it destroys. They are random, and every row of the person that a backup can have
    names one of them. `erased_at`: in whole epoch seconds.
    """

    id: UUID
    tenant_id: str
    key_ids: tuple[UUID, ...]
    erased_at: int

    def to_json(self) -> bytes:
        """Return the form in which the entry is anchored."""
        values = {
            "form": _FORM,
            "id": str(self.id),
            "tenant_id": self.tenant_id,
            "key_ids": [str(key_id) for key_id in self.key_ids],
            "erased_at": self.erased_at,
        }
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Read what `to_json` wrote. Raises `LedgerFormatError` for anything else."""
        try:
            values = json.loads(raw)
            if not isinstance(values, dict) or values.keys() != _MEMBERS or values["form"] != _FORM:
                raise LedgerFormatError("it has other members than an entry of the ledger")
            tenant_id, erased_at = values["tenant_id"], values["erased_at"]
            if not isinstance(tenant_id, str) or not tenant_id or type(erased_at) is not int:
                raise LedgerFormatError("its tenant or time has another form")
            return cls(UUID(values["id"]), tenant_id, tuple(UUID(one) for one in values["key_ids"]), erased_at)
        except (ValueError, TypeError, AttributeError, RecursionError) as problem:
            raise LedgerFormatError(str(problem)) from None


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure that was committed. `sessions`: how many ended. `rows`: others that were deleted."""

    entry: LedgerEntry
    sessions: int
    rows: int


@dataclass(frozen=True, slots=True)
class ExportPage:
    """A part of an export: records by kind. `cursor`: for the next page; None on the last one."""

    records: Mapping[str, Sequence[Record]]
    cursor: str | None
