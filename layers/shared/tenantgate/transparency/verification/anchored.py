"""The checkpoints that are anchored outside the database, in a form of which memory holds millions."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from operator import le
from typing import NamedTuple

from tenantgate.transparency.errors import Unproven
from tenantgate.transparency.tree import leaf_hash
from tenantgate.transparency.verification.keys import LogKeys, tenant_of
from tenantgate.transparency.verification.models import Finding

# Size, two times and the size before it or -1, root, and the beginning of the note's hash.
_RECORD = struct.Struct(">qqqq32s16s")


class AnchoredCheckpoint(NamedTuple):
    """A verified checkpoint: the members of `Checkpoint` that are compared. `digest`: of its note."""

    size: int
    sealed_at: int | None
    signed_at: int | None
    continues: int | None
    root: bytes
    digest: bytes


class AnchoredCheckpoints:
    """The verified checkpoints of all anchors, by tenant: 80 bytes each. `only`: ignore other tenants."""

    def __init__(self, keys: LogKeys, *, only: str | None = None) -> None:
        self._keys = keys
        self._only = only
        self._records: defaultdict[str, bytearray] = defaultdict(bytearray)
        # By tenant, or None if an object doesn't tell.
        self.findings: defaultdict[str | None, list[Finding]] = defaultdict(list)

    def add(self, note: str, *, anchor: str) -> None:
        """Add the checkpoint of a note in the object `anchor`. One that isn't proven becomes a finding."""
        tenant_id = None
        try:
            tenant_id = tenant_of(note)
            if self._only not in {None, tenant_id}:
                return
            found = self._keys.open(note, tenant_id)
        except Unproven as error:
            self.add_broken(f"a checkpoint in {anchor}: {error}", tenant_id)
            return
        numbers = (-1 if one is None else one for one in (found.sealed_at, found.signed_at, found.continues))
        self._records[tenant_id] += _RECORD.pack(found.size, *numbers, found.root, note_digest(note))

    def add_broken(self, text: str, tenant_id: str | None = None) -> None:
        """Note that an anchor isn't as it was written. `tenant_id`: None if it doesn't tell whose it is."""
        self.findings[tenant_id].append(Finding("anchor_forged", text))

    @property
    def tenants(self) -> list[str]:
        """The tenants that anchors name, in their order."""
        return sorted(self._records.keys() | {tenant_id for tenant_id in self.findings if tenant_id is not None})

    def of(self, tenant_id: str) -> Iterator[AnchoredCheckpoint]:
        """Yield the tenant's checkpoints by size."""
        records = self._records.get(tenant_id, bytearray())
        sizes = [size for size, *_ in _RECORD.iter_unpack(records)]
        # The anchors come in the order of their making. Only a forger's order has to be sorted.
        order = (
            range(len(sizes)) if all(map(le, sizes, sizes[1:])) else sorted(range(len(sizes)), key=sizes.__getitem__)
        )
        for place in order:
            size, *numbers, root, digest = _RECORD.unpack_from(records, place * _RECORD.size)
            sealed_at, signed_at, continues = (None if one < 0 else one for one in numbers)
            yield AnchoredCheckpoint(size, sealed_at, signed_at, continues, root, digest)


def note_digest(note: str) -> bytes:
    """Return the digest by which a note is recognized as one that was verified."""
    return leaf_hash(note.encode())[:16]
