"""Proof files: what they prove, and forged, truncated, oversized ones, and those of other tenants."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.transparency.checkpoints import Checkpoint, log_origin, sealed_checkpoint
from tenantgate.transparency.errors import NoteUnsigned, ProofBroken, ProofMalformed, Unproven
from tenantgate.transparency.leaves import COLUMNS, leaf_data
from tenantgate.transparency.notes import public_key, sign
from tenantgate.transparency.proofs import (
    MAX_PROOF_BYTES,
    ConsistencyProof,
    InclusionProof,
    check_consistency,
    check_inclusion,
    parse_proof,
)
from tenantgate.transparency.tree import consistency_proof, inclusion_proof, leaf_hash, tree_root

PRIVATE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
ORIGIN = log_origin("acme.example", "org-1")
KEY = public_key(ORIGIN, PRIVATE)
SIZE, INDEX = 7, 4


def leaf_of(tenant: str, number: int) -> bytes:
    row: dict[str, str | None] = dict.fromkeys(COLUMNS)
    return leaf_data({**row, "id": str(number), "tenant_id": tenant, "detail": "{}"})


LEAVES = [leaf_of("org-1", number) for number in range(SIZE)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def checkpoint(size: int = SIZE, *, origin: str = ORIGIN, private: Ed25519PrivateKey = PRIVATE) -> str:
    text = sealed_checkpoint(origin, size, tree_root(HASHES[:size]), sealed_at=1_764_201_600_000_000).text
    return sign(text, origin, private)


PROOF = InclusionProof(LEAVES[INDEX], INDEX, inclusion_proof(INDEX, HASHES), checkpoint())
GROWN = ConsistencyProof(3, consistency_proof(3, HASHES), checkpoint())


def test_an_inclusion_proof_proves_its_event() -> None:
    read = parse_proof(PROOF.text.encode())
    assert read == PROOF
    found = check_inclusion(PROOF, [KEY])
    assert (found.row["id"], found.position, found.checkpoint.size) == ("4", INDEX, SIZE)
    assert PROOF.text.startswith("c2sp.org/tlog-proof@v1\nextra ")


def test_a_consistency_proof_proves_that_the_log_continues() -> None:
    assert parse_proof(GROWN.text.encode()) == GROWN
    found = check_consistency(GROWN, checkpoint(3), [KEY])
    assert (found.old.size, found.new.size) == (3, SIZE)
    assert GROWN.text.startswith("old 3\n")


def test_a_log_of_one_event_has_proofs_without_hashes() -> None:
    single = InclusionProof(LEAVES[0], 0, [], checkpoint(1))
    assert parse_proof(single.text.encode()) == single
    check_inclusion(single, [KEY])
    same = ConsistencyProof(1, [], checkpoint(1))
    assert parse_proof(same.text.encode()) == same
    check_consistency(same, checkpoint(1), [KEY])


def test_a_log_continues_after_a_rotation_of_its_key_for_those_who_have_both() -> None:
    rotated = replace(GROWN, note=checkpoint(private=OTHER))
    new_key = public_key(ORIGIN, OTHER)
    for keys in ([KEY, new_key], [new_key, KEY]):
        found = check_consistency(rotated, checkpoint(3), keys)
        assert (found.old.size, found.new.size) == (3, SIZE)
    elsewhere = public_key(log_origin("acme.example", "org-2"), OTHER)
    for keys in ([], [KEY], [new_key], [KEY, elsewhere]):
        with pytest.raises(NoteUnsigned):
            check_consistency(rotated, checkpoint(3), keys)
    assert check_inclusion(replace(PROOF, note=rotated.note), [KEY, new_key]).position == INDEX


def test_a_log_does_not_continue_another_tenants() -> None:
    """Both checkpoints are signed by given keys, and their trees have the same leaves."""
    origin = log_origin("acme.example", "org-2")
    other = public_key(origin, PRIVATE)
    for proof, known in (
        (replace(GROWN, note=checkpoint(origin=origin)), checkpoint(3)),
        (GROWN, checkpoint(3, origin=origin)),
    ):
        with pytest.raises(ProofBroken, match="two different logs"):
            check_consistency(proof, known, [KEY, other])


MIXED = [*HASHES[:INDEX], leaf_hash(leaf_of("org-2", 0)), *HASHES[INDEX + 1 :]]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(replace(PROOF, leaf=leaf_of("org-1", 99)), id="another-event"),
        pytest.param(replace(PROOF, leaf=b"not a leaf"), id="no-event"),
        pytest.param(replace(PROOF, index=5), id="another-position"),
        pytest.param(replace(PROOF, index=10**18), id="a-position-outside"),
        pytest.param(replace(PROOF, hashes=PROOF.hashes[:-1]), id="a-hash-less"),
        pytest.param(replace(PROOF, hashes=[*PROOF.hashes, bytes(32)]), id="a-hash-more"),
        pytest.param(replace(PROOF, note=checkpoint(6)), id="another-checkpoint-of-this-log"),
        pytest.param(replace(PROOF, note=checkpoint(private=OTHER)), id="signed-by-another-key"),
        pytest.param(
            replace(PROOF, note=checkpoint(origin=log_origin("acme.example", "org-2"))), id="the-log-of-another-tenant"
        ),
        pytest.param(
            replace(PROOF, note=sign(Checkpoint("a/b", SIZE, tree_root(HASHES)).text, ORIGIN, PRIVATE)),
            id="a-checkpoint-of-another-origin",
        ),
        pytest.param(replace(PROOF, note=sign("text\n", ORIGIN, PRIVATE)), id="another-note-of-this-key"),
        pytest.param(replace(PROOF, note=PROOF.note.replace("\n7\n", "\n8\n")), id="a-changed-checkpoint"),
        pytest.param(
            InclusionProof(
                leaf_of("org-2", 0),
                INDEX,
                inclusion_proof(INDEX, MIXED),
                sign(Checkpoint(ORIGIN, SIZE, tree_root(MIXED)).text, ORIGIN, PRIVATE),
            ),
            id="the-event-of-another-tenant-in-this-log",
        ),
    ],
)
def test_no_forged_inclusion_proof_is_right(forged: InclusionProof) -> None:
    read = parse_proof(forged.text.encode())
    assert isinstance(read, InclusionProof)
    with pytest.raises(Unproven):
        check_inclusion(read, [KEY])


@pytest.mark.parametrize(
    ("forged", "known"),
    [
        pytest.param(GROWN, checkpoint(4), id="another-known-checkpoint"),
        pytest.param(GROWN, checkpoint(3, private=OTHER), id="a-known-checkpoint-of-another-key"),
        pytest.param(
            GROWN, sign(Checkpoint(ORIGIN, 3, tree_root(MIXED[4:])).text, ORIGIN, PRIVATE), id="a-log-that-was-changed"
        ),
        pytest.param(replace(GROWN, note=checkpoint(private=OTHER)), checkpoint(3), id="signed-by-another-key"),
        pytest.param(replace(GROWN, note=checkpoint(2)), checkpoint(3), id="a-log-that-was-cut-off"),
        pytest.param(replace(GROWN, hashes=[]), checkpoint(3), id="no-hashes"),
        pytest.param(replace(GROWN, old_size=0), checkpoint(3), id="from-the-empty-log"),
        pytest.param(GROWN, "no note", id="no-known-checkpoint"),
    ],
)
def test_no_forged_consistency_proof_is_right(forged: ConsistencyProof, known: str) -> None:
    read = parse_proof(forged.text.encode())
    assert isinstance(read, ConsistencyProof)
    with pytest.raises(Unproven):
        check_consistency(read, known, [KEY])


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(b"", id="empty"),
        pytest.param(PROOF.note.encode(), id="only-a-checkpoint"),
        pytest.param(PROOF.text.partition("\n\n")[0].encode(), id="truncated-before-the-checkpoint"),
        pytest.param(b"c2sp.org/tlog-proof@v1\n\nnote", id="no-event"),
        pytest.param(PROOF.text.replace("extra ", "").encode(), id="no-word-extra"),
        pytest.param(PROOF.text.replace("extra ", "extra !").encode(), id="not-base64"),
        pytest.param(PROOF.text.replace("index 4", "index 04").encode(), id="a-leading-zero"),
        pytest.param(PROOF.text.replace("index 4", f"index {'4' * 5000}").encode(), id="endless-digits"),
        pytest.param(PROOF.text.replace("index 4", "index -4").encode(), id="negative"),
        pytest.param(PROOF.text.replace("proof@v1", "proof@v2").encode(), id="another-version"),
        pytest.param(PROOF.text.replace("\n", "\r\n").encode(), id="carriage-returns"),
        pytest.param(PROOF.text.replace("index 4\n", f"index 4\n{base64.b64encode(bytes(31)).decode()}\n").encode()),
        pytest.param(replace(PROOF, hashes=[bytes(32)] * 127).text.encode(), id="too-many-hashes"),
        pytest.param(b"\xff" + PROOF.text.encode(), id="not-utf-8"),
        pytest.param(PROOF.text.encode() + bytes(MAX_PROOF_BYTES), id="oversized"),
    ],
)
def test_refuses_malformed_files(malformed: bytes) -> None:
    with pytest.raises(ProofMalformed):
        parse_proof(malformed)


def check_file(raw: bytes) -> None:
    read = parse_proof(raw)
    assert isinstance(read, InclusionProof)
    check_inclusion(read, [KEY])


@given(st.integers(0, len(PROOF.text.encode()) - 1), st.binary(max_size=3))
def test_no_changed_or_truncated_file_is_right(place: int, inserted: bytes) -> None:
    whole = PROOF.text.encode()
    for forged in (whole[:place], whole[:place] + inserted + whole[place + 1 :]):
        if forged != whole:
            with pytest.raises(Unproven):
                check_file(forged)
