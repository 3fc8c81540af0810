"""Proof files, which are checked offline against a log's verifier keys.

An inclusion proof (c2sp.org/tlog-proof, version 1) has the leaf data of one event as its extra data:

    c2sp.org/tlog-proof@v1
    extra <base64>
    index 4
    <hashes in base64>

    <signed checkpoint>

A consistency proof has the form in which logs send one to witnesses (c2sp.org/tlog-witness): the first line is
`old <size>`, and hashes, an empty line and the newer checkpoint follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tenantgate.transparency.checkpoints import Checkpoint, log_origin, open_checkpoint
from tenantgate.transparency.errors import LeafMalformed, ProofBroken, ProofMalformed
from tenantgate.transparency.leaves import MAX_LEAF_BYTES, read_leaf
from tenantgate.transparency.notes import MAX_NOTE_BYTES, VerifierKey, decoded, encoded
from tenantgate.transparency.tree import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion

# The leaf in base64, the checkpoint, and a proof of the largest tree.
MAX_PROOF_BYTES = MAX_LEAF_BYTES * 4 // 3 + MAX_NOTE_BYTES + 8 * 1024

_HEADING = "c2sp.org/tlog-proof@v1"
_MOST_HASHES = 126
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A proof that an event is in a log. `note`: the checkpoint, in which the log has the tree of the proof."""

    leaf: bytes
    index: int
    hashes: Sequence[bytes]
    note: str

    @property
    def text(self) -> str:
        """The content of the file."""
        return _file([_HEADING, f"extra {encoded(self.leaf)}", f"index {self.index}"], self.hashes, self.note)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """A proof that a log begins as it was when it had `old_size` events. `note`: the newer checkpoint."""

    old_size: int
    hashes: Sequence[bytes]
    note: str

    @property
    def text(self) -> str:
        """The content of the file."""
        return _file([f"old {self.old_size}"], self.hashes, self.note)


class Included(NamedTuple):
    """A proven event: its row as `leaves.py` describes it, its position in the log, and the checkpoint."""

    row: Mapping[str, str | None]
    position: int
    checkpoint: Checkpoint


class Extended(NamedTuple):
    """A proven log: each of the two checkpoints is signed, and the newer one has all events of the older one."""

    old: Checkpoint
    new: Checkpoint


def parse_proof(raw: bytes) -> InclusionProof | ConsistencyProof:
    """Read a proof file, without checking it. Raises `ProofMalformed`."""
    if len(raw) > MAX_PROOF_BYTES:
        raise ProofMalformed(f"not a proof: it has more than {MAX_PROOF_BYTES // 1024} KiB")
    try:
        head, empty_line, note = raw.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise ProofMalformed("not a proof: it isn't UTF-8") from None
    lines = head.split("\n")
    if not empty_line or not note:
        raise ProofMalformed("not a proof, or the end of one is missing: there is no checkpoint after an empty line")
    if lines[0] != _HEADING:
        return ConsistencyProof(_number(lines[0], "old "), _hashes(lines[1:]), note)
    if len(lines) < 3:
        raise ProofMalformed("the proof is incomplete: it has no event or no index")
    leaf = decoded(lines[1].removeprefix("extra ")) if lines[1].startswith("extra ") else None
    if leaf is None:
        raise ProofMalformed("the proof has no event: its second line isn't `extra` with base64")
    return InclusionProof(leaf, _number(lines[2], "index "), _hashes(lines[3:]), note)


def check_inclusion(proof: InclusionProof, keys: Sequence[VerifierKey]) -> Included:
    """Check that the event is in a log of one of the keys. Raises `Unproven`: `errors.py` lists its kinds."""
    checkpoint = open_checkpoint(proof.note, keys)
    verify_inclusion(
        index=proof.index,
        size=checkpoint.size,
        leaf=leaf_hash(proof.leaf),
        proof=proof.hashes,
        root=checkpoint.root,
    )
    row = read_leaf(proof.leaf)
    host, _, _ = checkpoint.origin.partition("/")
    # The log of a tenant never has another tenant's event: a signer that mixed them up proves nothing.
    if row["tenant_id"] is None or log_origin(host, row["tenant_id"]) != checkpoint.origin:
        raise LeafMalformed("the event is another tenant's, and doesn't belong into this log")
    return Included(row, proof.index, checkpoint)


def check_consistency(proof: ConsistencyProof, known_note: str | bytes, keys: Sequence[VerifierKey]) -> Extended:
    """Check that the log still has all events of the checkpoint `known_note`, unchanged. Raises `Unproven`.

    `keys`: those of the log. After a rotation, another one has signed the newer checkpoint.
    """
    old, new = open_checkpoint(known_note, keys), open_checkpoint(proof.note, keys)
    # Each may be signed by a key of its own log: an equal or longer log of another tenant continues nothing.
    if old.origin != new.origin:
        raise ProofBroken("the proof and the known checkpoint are of two different logs")
    if old.size != proof.old_size:
        raise ProofBroken(f"the proof begins at {proof.old_size} events, and the known checkpoint has {old.size}")
    verify_consistency(old_size=old.size, size=new.size, old_root=old.root, root=new.root, proof=proof.hashes)
    return Extended(old, new)


def _file(lines: Sequence[str], hashes: Sequence[bytes], note: str) -> str:
    return "\n".join([*lines, *map(encoded, hashes), "", note])


def _number(line: str, word: str) -> int:
    number = line.removeprefix(word)
    if not line.startswith(word) or not _NUMBER.fullmatch(number):
        raise ProofMalformed(f"not a proof: there is no line `{word}<number>`")
    return int(number)


def _hashes(lines: Sequence[str]) -> list[bytes]:
    if len(lines) > _MOST_HASHES:
        raise ProofMalformed("not a proof: no log has a proof of so many hashes")
    found = [decoded(line) for line in lines]
    if any(one is None or len(one) != HASH_BYTES for one in found):
        raise ProofMalformed("not a proof: one of its lines isn't a hash in base64")
    return [one for one in found if one is not None]
