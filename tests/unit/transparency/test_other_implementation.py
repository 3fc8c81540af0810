"""Proofs, notes and checkpoints against `aics-tlog`, an implementation by others, in both directions."""

from __future__ import annotations

import pytest
from aics_tlog import Checkpoint as OtherCheckpoint
from aics_tlog import (
    MerkleTree,
    format_vkey,
    parse_vkey,
    sign_checkpoint,
    verify_checkpoint,
    vkey_from_ed25519,
)
from aics_tlog import parse_note as parse_other_note
from aics_tlog import verify_consistency as other_verifies_consistency
from aics_tlog import verify_leaf_inclusion as other_verifies_inclusion
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenantgate.transparency.checkpoints import log_origin, open_checkpoint, sealed_checkpoint
from tenantgate.transparency.leaves import COLUMNS, leaf_data
from tenantgate.transparency.notes import public_key, sign
from tenantgate.transparency.tree import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

PRIVATE, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
# Tenant ids with the characters that names of keys can't have.
ORIGINS = [log_origin("acme.example:3000", tenant) for tenant in ("org-1", ":deployment", "a b+c/ü\u2003%")]
LARGEST = 33
NO_COLUMNS: dict[str, str | None] = dict.fromkeys(COLUMNS)
LEAVES = [leaf_data({**NO_COLUMNS, "id": str(number), "tenant_id": "org-1"}) for number in range(LARGEST)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_all_proofs_of_a_tree_are_the_same_and_verify_there_and_here(size: int) -> None:
    other, root = MerkleTree(LEAVES[:size]), tree_root(HASHES[:size])
    assert other.root() == root
    for index in range(size):
        proof = inclusion_proof(index, HASHES[:size])
        assert other.inclusion_proof(index) == proof
        assert other_verifies_inclusion(LEAVES[index], index, size, proof, root)
        verify_inclusion(index=index, size=size, leaf=HASHES[index], proof=other.inclusion_proof(index), root=root)
    for old_size in range(1, size + 1):
        proof, old_root = consistency_proof(old_size, HASHES[:size]), tree_root(HASHES[:old_size])
        assert other.consistency_proof(old_size) == proof
        assert other_verifies_consistency(old_size, size, old_root, root, proof)
        verify_consistency(
            old_size=old_size, size=size, old_root=old_root, root=root, proof=other.consistency_proof(old_size)
        )


def test_the_other_implementation_refuses_changed_proofs() -> None:
    """Its verification isn't empty: what it accepts above means something."""
    proof, root = inclusion_proof(4, HASHES), tree_root(HASHES)
    assert not other_verifies_inclusion(LEAVES[5], 4, LARGEST, proof, root)
    assert not other_verifies_inclusion(LEAVES[4], 5, LARGEST, proof, root)
    assert not other_verifies_inclusion(LEAVES[4], 4, LARGEST, [*proof[:-1], bytes(32)], root)
    grown = consistency_proof(7, HASHES)
    assert not other_verifies_consistency(7, LARGEST, tree_root(HASHES[1:8]), root, grown)


@pytest.mark.parametrize("origin", ORIGINS)
def test_signed_checkpoints_are_accepted_there(origin: str) -> None:
    checkpoint = sealed_checkpoint(origin, LARGEST, tree_root(HASHES), sealed_at=1_764_201_600_000_000)
    note = sign(checkpoint.text, origin, PRIVATE)
    key = parse_vkey(str(public_key(origin, PRIVATE)))
    found = verify_checkpoint(parse_other_note(note), key, expected_origin=origin)
    assert (found.ok, found.origin, found.size, found.root) == (True, origin, LARGEST, checkpoint.root)
    assert not verify_checkpoint(parse_other_note(note.replace("\n33\n", "\n34\n")), key).ok
    assert not verify_checkpoint(parse_other_note(sign(checkpoint.text, origin, STRANGER)), key).ok


@pytest.mark.parametrize("origin", ORIGINS)
def test_checkpoints_that_were_signed_there_are_accepted_here(origin: str) -> None:
    root = tree_root(HASHES)
    note = sign_checkpoint(OtherCheckpoint(origin, LARGEST, root, ("sealed-at 5",)), PRIVATE, origin)
    found = open_checkpoint(str(note.serialise()), [public_key(origin, PRIVATE)])
    assert (found.origin, found.size, found.root, found.sealed_at) == (origin, LARGEST, root, 5)


@pytest.mark.parametrize("origin", ORIGINS)
def test_verifier_keys_are_the_same(origin: str) -> None:
    other = vkey_from_ed25519(origin, PRIVATE.public_key())
    assert format_vkey(other) == str(public_key(origin, PRIVATE))
