"""Merkle trees: hashes and proofs of RFC 6962 §2.1, with the algorithms of verification of RFC 9162 §2.1.

A hash is 32 bytes (SHA-256). A leaf's index counts from 0. Proofs are lists of hashes in the order of the RFCs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from tenantgate.transparency.errors import ProofBroken

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
# The largest tree: its size fits a bigint.
MAX_SIZE = 2**63 - 1

_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node. The other prefix keeps a node from being passed off as a leaf."""
    return sha256(_NODE + left + right).digest()


class Frontier:
    """The complete subtrees of a tree, largest first: all that appending needs. Its length is O(log size).

    Raises `ValueError` if there aren't as many hashes as the size has subtrees.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._hashes = list(hashes)
        if not 0 <= size <= MAX_SIZE or len(self._hashes) != size.bit_count():
            raise ValueError("the frontier of another size")
        if any(len(one) != HASH_BYTES for one in self._hashes):
            raise ValueError("a hash is 32 bytes")

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The subtrees' hashes, to store with the size."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Append a leaf by its hash. Amortized, this computes one node."""
        complete, node = self.size, leaf
        while complete & 1:
            node = sha256(_NODE + self._hashes.pop() + node).digest()
            complete >>= 1
        self._hashes.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves by their hashes, in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """Return the tree's root."""
        if not self._hashes:
            return EMPTY_ROOT
        *others, node = self._hashes
        for left in reversed(others):
            node = node_hash(left, node)
        return node


class Subtrees:
    """The roots of ranges of leaves, from one pass over all leaves in order. Its memory is O(log² size).

    `ranges`: don't overlap; `inclusion_ranges` and `consistency_ranges` return such ranges.
    """

    def __init__(self, ranges: Sequence[range]) -> None:
        self._ranges = ranges
        self._trees = [Frontier() for _ in ranges]
        self._order = sorted(range(len(ranges)), key=lambda number: ranges[number].start)
        self._next = 0
        self._index = 0

    def add(self, leaf: bytes) -> None:
        """Take the hash of the next leaf."""
        if self._next < len(self._order):
            current = self._order[self._next]
            if self._index >= self._ranges[current].start:
                self._trees[current].append(leaf)
            if self._index + 1 == self._ranges[current].stop:
                self._next += 1
        self._index += 1

    def roots(self) -> list[bytes]:
        """Return the roots in the order of the ranges. Raises `ValueError` before all their leaves were added."""
        if any(tree.size != len(leaves) for tree, leaves in zip(self._trees, self._ranges, strict=True)):
            raise ValueError("leaves are missing")
        return [tree.root() for tree in self._trees]


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Return the root of a tree, from its leaves' hashes (RFC 6962 §2.1)."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def inclusion_ranges(index: int, size: int) -> list[range]:
    """Return the leaves under each hash of an inclusion proof (RFC 6962 §2.1.1).

    Raises `ValueError` for a leaf that isn't in the tree.
    """
    if not 0 <= index < size:
        raise ValueError("no leaf of the tree")
    found, start, end = [], 0, size
    while end - start > 1:
        middle = start + _left(end - start)
        if index < middle:
            found.append(range(middle, end))
            end = middle
        else:
            found.append(range(start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old_size: int, size: int) -> list[range]:
    """Return the leaves under each hash of a consistency proof (RFC 6962 §2.1.2), none if a tree is empty or the same.

    Raises `ValueError` if the old tree is larger.
    """
    if not 0 <= old_size <= size:
        raise ValueError("the old tree is larger")
    if old_size == 0:
        return []
    found, start, end = [], 0, size
    while old_size < end:
        middle = start + _left(end - start)
        if old_size <= middle:
            found.append(range(middle, end))
            end = middle
        else:
            found.append(range(start, middle))
            start = middle
    if start:
        found.append(range(start, end))
    return found[::-1]


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the proof that a leaf is in the tree of these leaves' hashes. Raises `ValueError` if it isn't."""
    return [tree_root(leaves[part.start : part.stop]) for part in inclusion_ranges(index, len(leaves))]


def consistency_proof(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the proof that the tree of the first leaves is the beginning of the tree of all these leaves' hashes.

    Raises `ValueError` if the old tree is larger.
    """
    return [tree_root(leaves[part.start : part.stop]) for part in consistency_ranges(old_size, len(leaves))]


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Verify that a leaf, by its hash, is in a tree (RFC 9162 §2.1.3.2). Raises `ProofBroken`."""
    _require_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofBroken("the index is outside the tree")
    node = leaf
    for sibling, is_left in zip(proof, _sides(index, size - 1, len(proof)), strict=True):
        node = node_hash(sibling, node) if is_left else node_hash(node, sibling)
    if node != root:
        raise ProofBroken("the inclusion proof leads to another root")


def verify_consistency(*, old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Verify that a tree begins with the leaves of an older one (RFC 9162 §2.1.4.2). Raises `ProofBroken`.

    Every tree begins with the empty one, and with itself: the proof is empty then.
    """
    _require_hashes(old_root, root, *proof)
    if not 0 <= old_size <= size:
        raise ProofBroken("the older tree is larger")
    if old_size in {0, size}:
        if proof or old_root != (root if old_size == size else EMPTY_ROOT):
            raise ProofBroken("the trees differ")
        return
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        # The old tree is a complete subtree: its root is the hash from which the proof begins.
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofBroken("the proof is too short")
    # Up to the subtree from which the proof begins: the largest one with which the old tree ends.
    complete = (old_size & -old_size).bit_length() - 1
    old_node = node = hashes.pop(0)
    sides = _sides((old_size - 1) >> complete, (size - 1) >> complete, len(hashes))
    for sibling, is_left in zip(hashes, sides, strict=True):
        if is_left:
            old_node, node = node_hash(sibling, old_node), node_hash(sibling, node)
        else:
            node = node_hash(node, sibling)
    if old_node != old_root or node != root:
        raise ProofBroken("the newer tree doesn't begin with the older one")


def _sides(place: int, last: int, count: int) -> list[bool]:
    """Return which hashes of a proof belong on the left. `last`: the last node's place. Raises `ProofBroken`."""
    sides = []
    for _ in range(count):
        if last == 0:
            raise ProofBroken("the proof is too long")
        is_left = bool(place & 1) or place == last
        if is_left:
            # The last node has no sibling on these levels.
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
        sides.append(is_left)
    if last:
        raise ProofBroken("the proof is too short")
    return sides


def _require_hashes(*hashes: bytes) -> None:
    # The boundary between two hashes of other lengths could be moved: one node would have several pairs of children.
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofBroken("a hash is 32 bytes")


def _left(size: int) -> int:
    """Return the leaves of a tree's left part: the largest power of two below its size (2 at least)."""
    return 1 << ((size - 1).bit_length() - 1)
