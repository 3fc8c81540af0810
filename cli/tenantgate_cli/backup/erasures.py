"""The ledger of erasures in a restored database: what it has forgotten is erased again, before anyone uses it.

An entry names the data keys that an erasure destroyed. Every encrypted row of the person names one of them, so that
destroying these keys again is enough; entries that the database still has change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.privacy.models import LEDGER, LedgerEntry, LedgerFormatError
from tenantgate.transparency.anchors.objects import is_name
from tenantgate_cli.console import Failure

# A key of a person only: no entry, genuine or not, destroys a tenant's.
_DESTROY = (
    "UPDATE public.data_keys SET wrapped_key = NULL, subject_hash = ''"
    " WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND wrapped_key IS NOT NULL AND octet_length(subject_hash) > 0"
    " RETURNING id"
)
# The bytes 1 to 17 of an envelope are the id of its key (`crypto/envelopes.py`): 24 characters of base64url have 18.
_NAMES_ONE = (
    "substring(decode(translate(substr(audit_user, 4, 24), '-_', '+/'), 'base64') FROM 2 FOR 16) = ANY($2::bytea[])"
)
# Sessions of a deployment without keys name no person that could be compared: all that began before the erasure end.
_END = (
    f"DELETE FROM public.sessions WHERE tenant_id = $1 AND (CASE WHEN audit_user IS NULL THEN $3 AND auth_time <= $4"  # noqa: S608  (constants)
    f" ELSE {_NAMES_ONE} END) RETURNING id"
)
_END_LOOKUPS = "DELETE FROM public.session_lookup WHERE session_id = ANY($1::uuid[])"
_KNOWN = "SELECT id FROM public.privacy_erasures WHERE tenant_id = $1 AND id = $2"
_ADD = (
    "INSERT INTO public.privacy_erasures"
    " (id, tenant_id, key_ids, source, anchored, sessions, rows, created_at)"
    " VALUES ($1, $2, $3::uuid[], 'replay', true, $4, 0, $5)"
)
_WAS_ANCHORED = (
    "SELECT EXISTS (SELECT FROM public.audit_checkpoints c WHERE NOT EXISTS"
    " (SELECT FROM public.audit_anchor_queue q WHERE q.tenant_id = c.tenant_id AND q.id = c.id))"
)
_ANCHORED = "SELECT tenant_id, id FROM public.privacy_erasures WHERE anchored ORDER BY created_at"
_TABLES = ("data_keys", "privacy_erasures", "audit_events")
_HAS = "SELECT to_regclass('public.' || $1) IS NOT NULL"


_OTHER_STORE = (
    "mount the disk, or give the bucket in which they are. To restore into another deployment, unset "
    "AUDIT_ANCHOR_FOLDER and AUDIT_ANCHOR_BUCKET, and replay the first one's ledger: tenantgate privacy replay"
)


class Anchored(Protocol):
    """The part of a store of anchors that is read. Raises `AnchorUnavailable`."""

    async def names(self, prefix: str) -> Sequence[str]: ...

    async def get(self, name: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The anchored erasures, in their order. `is_store_empty`: the store of anchors has no object of any kind."""

    entries: Sequence[LedgerEntry] = ()
    is_store_empty: bool = False


NO_LEDGER = Ledger()


@dataclass
class Replayed:
    """The counts of a replay. `known`: entries that the database has. `keys`, `sessions`: destroyed, and ended."""

    entries: int = 0
    known: int = 0
    keys: int = 0
    sessions: int = 0

    def __add__(self, other: Replayed) -> Replayed:
        """Return the sums."""
        return Replayed(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def words(self) -> str:
        """The counts as a sentence."""
        return (
            f"{self.entries:,} erasures replayed: {self.entries - self.known:,} were forgotten, {self.keys:,} keys "
            f"destroyed again, {self.sessions:,} sessions ended"
        )


async def read_ledger(anchors: Anchored) -> Ledger:
    """Return the anchored entries, one for each erasure.

    Raises Failure for an object with another name or form, and `AnchorUnavailable`.
    """
    found: dict[tuple[str, UUID], LedgerEntry] = {}
    for name in await anchors.names(LEDGER):
        if not is_name(name):
            raise Failure(
                f"{name!a} isn't the name of an entry of the ledger of erasures",
                "look at its origin, and remove it (in a bucket: every version): Tenantgate writes no such name",
            )
        try:
            entry = LedgerEntry.from_json(await anchors.get(name))
        except LedgerFormatError as problem:
            raise Failure(f"{name} isn't an entry of the ledger of erasures: {problem}", "look at its origin") from None
        # An erasure has several entries if keys were made meanwhile. Entries aren't signed: a forged one may add keys
        # and a later time to an erasure, but hides none of its keys, and nothing of another tenant's.
        erasure = (entry.tenant_id, entry.id)
        before = found.get(erasure, entry)
        found[erasure] = LedgerEntry(
            entry.id,
            entry.tenant_id,
            tuple(sorted({*before.key_ids, *entry.key_ids})),
            max(before.erased_at, entry.erased_at),
        )
    entries = sorted(found.values(), key=lambda entry: (entry.erased_at, entry.id, entry.tenant_id))
    return Ledger(entries, is_store_empty=not entries and not await anchors.names(""))


async def require_ledger(connection: Any, ledger: Ledger) -> None:
    """Raise Failure if the ledger isn't the one of the database: a folder may be a disk that isn't mounted.

    It must have every anchored erasure that the database knows, and its store isn't empty if checkpoints were anchored.
    """
    if ledger is NO_LEDGER:
        return
    known = {(entry.tenant_id, entry.id) for entry in ledger.entries}
    if await connection.fetchval(_HAS, "privacy_erasures"):
        rows = await connection.fetch(_ANCHORED)
        if missing := [row for row in rows if (row["tenant_id"], row["id"]) not in known]:
            raise Failure(
                f"the ledger lacks {len(missing):,} anchored erasures that the database knows, such as "
                f"{missing[0]['id']}: others may be missing, too",
                _OTHER_STORE,
            )
    was_anchored = await connection.fetchval(_HAS, "audit_checkpoints") and await connection.fetchval(_WAS_ANCHORED)
    if ledger.is_store_empty and was_anchored:
        raise Failure(
            "the store of anchors is empty, and checkpoints of the database were anchored: erasures may be missing",
            _OTHER_STORE,
        )


async def replay(connection: Any, ledger: Ledger) -> Replayed:
    """Repeat the erasures in the caller's transaction, as `replay_entries` does. Raises Failure: `require_ledger`."""
    await require_ledger(connection, ledger)
    return await replay_entries(connection, ledger.entries)


async def replay_entries(connection: Any, entries: Sequence[LedgerEntry]) -> Replayed:
    """Repeat erasures in the caller's transaction, which sees every tenant's rows. May be repeated.

    A schema that is older than a table has nothing to erase there.
    """
    done = Replayed(entries=len(entries))
    has = {name: await connection.fetchval(_HAS, name) for name in _TABLES}
    for entry in entries:
        is_known = has["privacy_erasures"] and await connection.fetchval(_KNOWN, entry.tenant_id, entry.id) is not None
        done.known += bool(is_known)
        keys = ended = 0
        if has["data_keys"]:
            keys = len(await connection.fetch(_DESTROY, entry.tenant_id, [*entry.key_ids]))
        if has["audit_events"]:
            ended = await _end_sessions(connection, entry, is_known=bool(is_known))
        done.keys += keys
        done.sessions += ended
        if has["privacy_erasures"] and not is_known:
            at = datetime.fromtimestamp(entry.erased_at, UTC)
            await connection.execute(_ADD, entry.id, entry.tenant_id, [*entry.key_ids], ended, at)
            event = Event(
                "USER_ERASED",
                entry.tenant_id,
                actor="operator",
                resource_type="erasure",
                resource_id=str(entry.id),
                detail={"source": "replay", "sessions": ended, "keys": keys},
            )
            await record(connection, event.stored(None))
    return done


async def _end_sessions(connection: Any, entry: LedgerEntry, *, is_known: bool) -> int:
    at = datetime.fromtimestamp(entry.erased_at, UTC)
    rows = await connection.fetch(_END, entry.tenant_id, [one.bytes for one in entry.key_ids], not is_known, at)
    await connection.execute(_END_LOOKUPS, [row["id"] for row in rows])
    return len(rows)
