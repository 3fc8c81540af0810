"""Checkpoints: the specification's form, and which key may sign for which log."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.transparency.checkpoints import (
    Checkpoint,
    log_origin,
    open_checkpoint,
    parse_checkpoint,
    sealed_checkpoint,
)
from tenantgate.transparency.errors import CheckpointMalformed, NoteUnsigned
from tenantgate.transparency.notes import public_key, sign

ROOT = bytes(range(32))
ENCODED = base64.b64encode(ROOT).decode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
ORIGIN = "acme.example/audit/org-1"
TENANTS = st.text("a/%2F+ \nü\u2003:", min_size=1, max_size=6)


def test_reads_the_form_of_the_specification() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    found = parse_checkpoint(text)
    assert (found.origin, found.size, found.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert found.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert (found.text, found.sealed_at) == (text, None)


TIMES = st.integers(0, 10**18)


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), TIMES, st.none() | TIMES, TIMES)
def test_reads_what_it_writes(size: int, root: bytes, sealed_at: int, signed_at: int | None, continues: int) -> None:
    written = sealed_checkpoint(ORIGIN, size, root, sealed_at=sealed_at, signed_at=signed_at, continues=continues)
    assert parse_checkpoint(written.text) == written
    assert written.sealed_at == sealed_at
    assert written.signed_at == (sealed_at if signed_at is None else signed_at)
    assert written.continues == continues
    assert len(written.extensions) == 2 + (written.signed_at != sealed_at)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(f"{ORIGIN}\n1\n{ENCODED}", id="no-last-newline"),
        pytest.param(f"{ORIGIN}\n1\n", id="no-root"),
        pytest.param(f"\n1\n{ENCODED}\n", id="no-origin"),
        pytest.param(f"{ORIGIN}\n1\n{ENCODED}\n\n", id="an-empty-extension"),
        pytest.param(f"{ORIGIN}\n01\n{ENCODED}\n", id="a-leading-zero"),
        pytest.param(f"{ORIGIN}\n+1\n{ENCODED}\n", id="a-sign"),
        pytest.param(f"{ORIGIN}\n-1\n{ENCODED}\n", id="negative"),
        pytest.param(f"{ORIGIN}\n1 \n{ENCODED}\n", id="a-space"),
        pytest.param(f"{ORIGIN}\n1_0\n{ENCODED}\n", id="an-underscore"),
        pytest.param(f"{ORIGIN}\n٣\n{ENCODED}\n", id="other-digits"),
        pytest.param(f"{ORIGIN}\n{2**63}\n{ENCODED}\n", id="larger-than-any-log"),
        pytest.param(f"{ORIGIN}\n{'9' * 10_000}\n{ENCODED}\n", id="endless-digits"),
        pytest.param(f"{ORIGIN}\n1\n{ENCODED[:-1]}\n", id="no-padding"),
        pytest.param(f"{ORIGIN}\n1\n{base64.b64encode(bytes(31)).decode()}\n", id="a-short-root"),
        pytest.param(f"{ORIGIN}\n1\n{ENCODED[:-2]}9=\n", id="stray-bits"),
        pytest.param(f"{ORIGIN}\n1\nñ{ENCODED[1:]}\n", id="not-ascii"),
    ],
)
def test_refuses_other_texts(text: str) -> None:
    with pytest.raises(CheckpointMalformed):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        pytest.param(ORIGIN, -1, ROOT, (), id="negative"),
        pytest.param(ORIGIN, 2**63, ROOT, (), id="too-large"),
        pytest.param(ORIGIN, 1, ROOT[1:], (), id="a-short-root"),
        pytest.param("", 1, ROOT, (), id="no-origin"),
        pytest.param("a\nb", 1, ROOT, (), id="an-origin-of-two-lines"),
        pytest.param(ORIGIN, 1, ROOT, ("",), id="an-empty-extension"),
    ],
)
def test_makes_no_impossible_checkpoint(origin: str, size: int, root: bytes, extensions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not "):
        Checkpoint(origin, size, root, extensions)


@pytest.mark.parametrize(
    "extensions", [("sealed-at 1", "sealed-at 2"), ("sealed-at -1",), ("sealed-at",), ("other 1",)]
)
def test_two_times_or_a_malformed_one_do_not_count(extensions: tuple[str, ...]) -> None:
    assert Checkpoint(ORIGIN, 1, ROOT, extensions).sealed_at is None


def test_opens_a_note_of_the_logs_own_key() -> None:
    checkpoint = sealed_checkpoint(ORIGIN, 7, ROOT, sealed_at=5)
    note = sign(checkpoint.text, ORIGIN, PRIVATE)
    assert open_checkpoint(note, [public_key(ORIGIN, PRIVATE)]) == checkpoint


def test_the_key_of_another_log_is_refused() -> None:
    other = "acme.example/audit/org-2"
    note = sign(Checkpoint(ORIGIN, 7, ROOT).text, other, PRIVATE)
    with pytest.raises(NoteUnsigned, match="another log"):
        open_checkpoint(note, [public_key(other, PRIVATE), public_key(ORIGIN, PRIVATE)])


@given(TENANTS, TENANTS)
def test_two_tenants_have_two_origins(one: str, other: str) -> None:
    first, second = (log_origin("acme.example", tenant) for tenant in (one, other))
    assert (first == second) == (one == other)
    # Any tenant id makes the name of a key, and the line of a checkpoint.
    assert public_key(first, PRIVATE).name == Checkpoint(first, 0, ROOT).origin


def test_the_origin_of_a_log_is_a_url_without_scheme() -> None:
    assert log_origin("acme.example:3000", "org/1 +ü") == "acme.example:3000/audit/org%2F1%20%2B%C3%BC"
