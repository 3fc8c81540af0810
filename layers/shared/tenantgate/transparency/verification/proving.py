"""Proofs for tenants, made from a log: that an event is in it, and that it continues an earlier checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from tenantgate.transparency.checkpoints import Checkpoint
from tenantgate.transparency.errors import Unprovable, Unproven
from tenantgate.transparency.leaves import leaf_data
from tenantgate.transparency.proofs import ConsistencyProof, InclusionProof, check_consistency, check_inclusion
from tenantgate.transparency.tree import Subtrees, consistency_ranges, inclusion_ranges
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.models import StoredCheckpoint

_TAMPERED = "the log isn't as it was sealed: run `tenantgate audit verify`"


class ProofReader(Protocol):
    """The parts of a log that proofs need. Every method raises `DatabaseUnreachable`."""

    async def position(self, tenant_id: str, event_id: UUID) -> int | None: ...

    async def newest(self, tenant_id: str) -> StoredCheckpoint | None: ...

    async def leaves(self, tenant_id: str, *, after: int) -> Sequence[Mapping[str, Any]]: ...

    async def hashes(self, tenant_id: str, *, begin: int) -> Sequence[bytes]: ...


class Prover:
    """Makes proofs, each of which it has checked. A proof reads the hashes of the whole log once."""

    def __init__(self, reader: ProofReader, keys: LogKeys) -> None:
        self._reader = reader
        self._keys = keys

    async def inclusion(self, tenant_id: str, event_id: UUID) -> InclusionProof:
        """Return the proof of an event under the newest checkpoint. Raises `Unprovable`."""
        position = await self._reader.position(tenant_id, event_id)
        if position is None:
            raise Unprovable("the log has no such event, or it isn't sealed yet: that takes a few minutes at most")
        note, checkpoint = await self.newest(tenant_id)
        row = next(iter(await self._reader.leaves(tenant_id, after=position - 1)), {})
        if row.get("id") is None:
            raise Unprovable("the row of the event was removed: its leaf has only a hash")
        if position >= checkpoint.size:
            raise Unprovable(_TAMPERED)
        hashes = await self._roots(tenant_id, inclusion_ranges(position, checkpoint.size), checkpoint.size)
        proof = InclusionProof(leaf_data(row), position, hashes, note)
        _check(lambda: check_inclusion(proof, self._keys.of(checkpoint.origin)))
        return proof

    async def consistency(self, tenant_id: str, known_note: str | bytes) -> ConsistencyProof:
        """Return the proof that the log continues a checkpoint. Raises `Unproven` for one that isn't the log's."""
        known = self._keys.open(known_note, tenant_id)
        note, checkpoint = await self.newest(tenant_id)
        if known.size > checkpoint.size:
            raise Unprovable(_TAMPERED)
        ranges = consistency_ranges(known.size, checkpoint.size)
        proof = ConsistencyProof(known.size, await self._roots(tenant_id, ranges, checkpoint.size), note)
        _check(lambda: check_consistency(proof, known_note, self._keys.of(checkpoint.origin)))
        return proof

    async def newest(self, tenant_id: str) -> tuple[str, Checkpoint]:
        """Return the newest checkpoint of the log, and its note. Raises `Unprovable`."""
        stored = await self._reader.newest(tenant_id)
        if stored is None:
            raise Unprovable("the tenant has no log yet: none of its events was sealed")
        try:
            return stored.note, self._keys.open(stored.note, tenant_id)
        except Unproven as error:
            raise Unprovable(f"{_TAMPERED}: its newest checkpoint isn't proven: {error}") from None

    async def _roots(self, tenant_id: str, ranges: Sequence[range], size: int) -> list[bytes]:
        trees, begin = Subtrees(ranges), 0
        while begin < size and (page := await self._reader.hashes(tenant_id, begin=begin)):
            for leaf in page[: size - begin]:
                trees.add(leaf)
            begin += len(page)
        try:
            return trees.roots()
        except ValueError:
            raise Unprovable(_TAMPERED) from None


def _check(check: Callable[[], object]) -> None:
    # A proof that doesn't verify would make the tenant's own copies look wrong.
    try:
        check()
    except Unproven as error:
        raise Unprovable(f"{_TAMPERED}: {error}") from None
