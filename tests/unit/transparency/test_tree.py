"""Merkle trees against the RFC's definition, and against the vectors of another implementation."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.transparency.errors import ProofBroken
from tenantgate.transparency.tree import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    Subtrees,
    consistency_proof,
    consistency_ranges,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

FILE = Path(__file__).parents[2] / "fixtures" / "transparency" / "merkle_vectors.json"
VECTORS = json.loads(FILE.read_text())
# The leaves of the reference tree of Certificate Transparency, and its root at each size.
REFERENCE = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

SIZES = st.integers(1, 70)


def numbered(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(2**power for power in range(len(leaves).bit_length()) if 2**power < len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    split = max(2**power for power in range(len(leaves).bit_length()) if 2**power < len(leaves))
    if index < split:
        return [*naive_inclusion(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_inclusion(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_consistency(old_size: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962 §2.1.2."""
    if old_size == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = max(2**power for power in range(len(leaves).bit_length()) if 2**power < len(leaves))
    if old_size <= split:
        return [*naive_consistency(old_size, leaves[:split], whole=whole), naive_root(leaves[split:])]
    return [*naive_consistency(old_size - split, leaves[split:], whole=False), naive_root(leaves[:split])]


def decoded(text: str) -> bytes:
    return base64.b64decode(text)


def test_the_reference_tree_has_its_roots() -> None:
    tree = Frontier()
    assert tree.root() == EMPTY_ROOT == naive_root([])
    for data, root in zip(REFERENCE, ROOTS, strict=True):
        tree.append(leaf_hash(data))
        assert tree.root().hex() == root


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: vector["id"])
def test_inclusion_as_another_implementation_judges_it(vector: dict[str, Any]) -> None:
    given_proof = [decoded(one) for one in vector["proof"] or []]

    def verify() -> None:
        verify_inclusion(
            index=vector["leafIdx"],
            size=vector["treeSize"],
            leaf=decoded(vector["leafHash"]),
            proof=given_proof,
            root=decoded(vector["root"]),
        )

    if vector["wantErr"]:
        with pytest.raises(ProofBroken):
            verify()
    else:
        verify()


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda vector: vector["id"])
def test_consistency_as_another_implementation_judges_it(vector: dict[str, Any]) -> None:
    given_proof = [decoded(one) for one in vector["proof"] or []]

    def verify() -> None:
        verify_consistency(
            old_size=vector["size1"],
            size=vector["size2"],
            old_root=decoded(vector["root1"]),
            root=decoded(vector["root2"]),
            proof=given_proof,
        )

    # One of the vectors compares two equal texts that aren't hashes.
    if vector["wantErr"] or len(decoded(vector["root1"])) != 32:
        with pytest.raises(ProofBroken):
            verify()
    else:
        verify()


@given(SIZES)
def test_roots_are_those_of_the_definition(size: int) -> None:
    leaves = numbered(size)
    assert tree_root(leaves) == naive_root(leaves)


@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_definition_and_verify(size: int, data: st.DataObject) -> None:
    index, leaves = data.draw(st.integers(0, size - 1)), numbered(size)
    proof = inclusion_proof(index, leaves)
    assert proof == naive_inclusion(index, leaves)
    verify_inclusion(index=index, size=size, leaf=leaves[index], proof=proof, root=naive_root(leaves))


@given(SIZES, st.data())
def test_consistency_proofs_are_those_of_the_definition_and_verify(size: int, data: st.DataObject) -> None:
    old_size, leaves = data.draw(st.integers(1, size)), numbered(size)
    proof = consistency_proof(old_size, leaves)
    assert proof == naive_consistency(old_size, leaves)
    verify_consistency(
        old_size=old_size, size=size, old_root=naive_root(leaves[:old_size]), root=naive_root(leaves), proof=proof
    )


@given(SIZES, st.data())
def test_no_changed_inclusion_proof_verifies(size: int, data: st.DataObject) -> None:
    index, leaves = data.draw(st.integers(0, size - 1)), numbered(size)
    proof, root = inclusion_proof(index, leaves), tree_root(leaves)
    place = data.draw(st.integers(0, len(proof)))
    changed = data.draw(
        st.sampled_from(
            [
                (index, leaf_hash(b"another"), proof),
                (index, leaves[index], [*proof[:place], bytes(32), *proof[place:]]),
                *(
                    [(index, leaves[index], [*proof[:-1], bytes(32)]), (index, leaves[index], proof[1:])]
                    if proof
                    else []
                ),
                *((other, leaves[index], proof) for other in range(-1, size + 1) if other != index),
            ]
        )
    )
    with pytest.raises(ProofBroken):
        verify_inclusion(index=changed[0], size=size, leaf=changed[1], proof=changed[2], root=root)


@given(st.integers(2, 70), st.data())
def test_no_changed_consistency_proof_verifies(size: int, data: st.DataObject) -> None:
    old_size, leaves = data.draw(st.integers(1, size - 1)), numbered(size)
    proof, old_root, root = consistency_proof(old_size, leaves), tree_root(leaves[:old_size]), tree_root(leaves)
    place = data.draw(st.integers(0, len(proof) - 1))
    changed = data.draw(
        st.sampled_from(
            [
                (old_size, old_root, root, [*proof, bytes(32)]),
                (old_size, old_root, root, [*proof[:place], *proof[place + 1 :]]),
                (old_size, old_root, root, [*proof[:place], bytes(32), *proof[place + 1 :]]),
                (old_size, old_root, root, []),
                (old_size, leaf_hash(b"another"), root, proof),
                (old_size, old_root, leaf_hash(b"another"), proof),
                (size, old_root, root, proof),
                (0, EMPTY_ROOT, root, proof),
            ]
        )
    )
    with pytest.raises(ProofBroken):
        verify_consistency(old_size=changed[0], size=size, old_root=changed[1], root=changed[2], proof=changed[3])


def test_every_tree_begins_with_the_empty_one_and_with_itself() -> None:
    root = tree_root(numbered(5))
    assert consistency_proof(0, numbered(5)) == consistency_proof(5, numbered(5)) == []
    verify_consistency(old_size=0, size=5, old_root=EMPTY_ROOT, root=root, proof=[])
    verify_consistency(old_size=5, size=5, old_root=root, root=root, proof=[])
    verify_consistency(old_size=0, size=0, old_root=EMPTY_ROOT, root=EMPTY_ROOT, proof=[])
    for old_size, old_root, proof in ((0, root, []), (0, EMPTY_ROOT, [root]), (5, EMPTY_ROOT, []), (6, root, [])):
        with pytest.raises(ProofBroken):
            verify_consistency(old_size=old_size, size=5, old_root=old_root, root=root, proof=proof)


def test_an_inner_node_does_not_pass_as_a_leaf() -> None:
    leaves = numbered(4)
    inner = node_hash(leaves[0], leaves[1])
    assert inner != leaf_hash(leaves[0] + leaves[1])
    # The upper half of the tree, passed off as a tree of two leaves: another size has another root.
    with pytest.raises(ProofBroken):
        verify_inclusion(index=0, size=4, leaf=inner, proof=[node_hash(*leaves[2:])], root=tree_root(leaves))


@given(SIZES, st.data())
def test_a_frontier_continues_from_its_stored_hashes(size: int, data: st.DataObject) -> None:
    leaves, stop = numbered(size), data.draw(st.integers(0, size))
    first = Frontier()
    first.extend(leaves[:stop])
    second = Frontier(first.size, first.hashes)
    second.extend(leaves[stop:])
    assert (second.size, second.root()) == (size, tree_root(leaves))
    assert first.root() == tree_root(leaves[:stop])


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        pytest.param(-1, [], id="negative"),
        pytest.param(0, [bytes(32)], id="a-hash-too-many"),
        pytest.param(3, [bytes(32)], id="a-hash-too-few"),
        pytest.param(1, [bytes(31)], id="a-short-hash"),
        pytest.param(MAX_SIZE + 1, [bytes(32)], id="larger-than-any-log"),
    ],
)
def test_refuses_the_frontier_of_another_size(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"frontier|32 bytes"):
        Frontier(size, hashes)


@given(SIZES, st.data())
def test_proofs_come_from_one_pass_over_the_leaves(size: int, data: st.DataObject) -> None:
    index, leaves = data.draw(st.integers(0, size - 1)), numbered(size)
    for ranges, proof in (
        (inclusion_ranges(index, size), inclusion_proof(index, leaves)),
        (consistency_ranges(index + 1, size), consistency_proof(index + 1, leaves)),
    ):
        passed = Subtrees(ranges)
        for leaf in leaves:
            passed.add(leaf)
        assert passed.roots() == proof


def test_a_pass_that_ended_early_has_no_proof() -> None:
    passed = Subtrees(inclusion_ranges(0, 4))
    for leaf in numbered(3):
        passed.add(leaf)
    with pytest.raises(ValueError, match="missing"):
        passed.roots()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (4, 4), (-1, 4)])
def test_no_proof_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_ranges(index, size)


@pytest.mark.parametrize("old_size", [-1, 5])
def test_no_proof_for_a_larger_older_tree(old_size: int) -> None:
    with pytest.raises(ValueError, match="larger"):
        consistency_proof(old_size, numbered(4))
