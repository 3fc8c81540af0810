"""Envelopes: the owners and places for which they open."""

import base64
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.crypto.envelopes import (
    MAX_PLAINTEXT_BYTES,
    PREFIX,
    DataKey,
    KeyOwner,
    framed,
    is_envelope,
    named_key,
)
from tenantgate.crypto.errors import EnvelopeBroken
from tenantgate.crypto.sealing import Sealer, new_sealing_key

OWNER = KeyOwner("org-1", "session-tokens")
KEY_ID = UUID("11111111-2222-4333-8444-555555555555")
PLACE = ("sessions", "sealed_tokens", "row-1")


def key_of(owner: KeyOwner = OWNER, *, key_id: UUID = KEY_ID, material: bytes = bytes(range(32))) -> DataKey:
    return DataKey(owner, key_id, material)


def rewritten(envelope: str, change: bytes, at: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(envelope[3:] + "=" * (-len(envelope[3:]) % 4)))
    raw[at : at + len(change)] = change
    return PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(st.binary(max_size=300), st.lists(st.text(max_size=20), max_size=3))
def test_opens_for_its_owner_and_place(plaintext: bytes, place: list[str]) -> None:
    envelope = key_of().encrypt(plaintext, place=place)
    assert key_of().decrypt(envelope, place=place) == plaintext
    assert (is_envelope(envelope), named_key(envelope)) == (True, KEY_ID)


def test_the_digest_of_a_subject_opens_what_the_subject_encrypted() -> None:
    person = KeyOwner("org-1", "audit", "a person")
    envelope = key_of(person).encrypt(b"secret", place=PLACE)
    assert DataKey(person.stored(), KEY_ID, bytes(range(32))).decrypt(envelope, place=PLACE) == b"secret"
    other = person.stored()._replace(subject_hash=bytes(32))
    with pytest.raises(EnvelopeBroken):
        DataKey(other, KEY_ID, bytes(range(32))).decrypt(envelope, place=PLACE)


def test_two_envelopes_of_one_text_have_only_their_key_in_common() -> None:
    first, second = (base64.urlsafe_b64decode(key_of().encrypt(b"x" * 31, place=PLACE)[3:] + "==") for _ in range(2))
    assert first[:17] == second[:17]
    assert not any(first[at : at + 8] == second[at : at + 8] for at in range(17, len(first) - 8))


@pytest.mark.parametrize(
    ("other", "place"),
    [
        pytest.param(key_of(), ("sessions", "sealed_tokens", "row-2"), id="another-row"),
        pytest.param(key_of(), ("sessions", "sealed_tokensrow-1"), id="the-same-texts-in-other-parts"),
        pytest.param(key_of(), ("sessions", "sealed_tokens", "row-1", ""), id="another-part"),
        pytest.param(key_of(KeyOwner("org-2", "session-tokens")), PLACE, id="another-tenant"),
        pytest.param(key_of(KeyOwner("org-1", "audit")), PLACE, id="another-purpose"),
        pytest.param(key_of(KeyOwner("org-1", "session-tokens", "a person")), PLACE, id="another-subject"),
        pytest.param(key_of(material=bytes(32)), PLACE, id="another-key-with-this-id"),
        pytest.param(key_of(key_id=UUID(int=1)), PLACE, id="another-id-of-this-key"),
    ],
)
def test_does_not_open_elsewhere(other: DataKey, place: tuple[str, ...]) -> None:
    envelope = key_of().encrypt(b"secret", place=PLACE)
    with pytest.raises(EnvelopeBroken):
        other.decrypt(envelope, place=place)


def test_no_changed_bit_opens() -> None:
    envelope = key_of().encrypt(b"secret", place=PLACE)
    raw = base64.urlsafe_b64decode(envelope[3:] + "=" * (-len(envelope[3:]) % 4))
    for at, byte in enumerate(raw):
        for bit in (0, 7):
            with pytest.raises(EnvelopeBroken):
                key_of().decrypt(rewritten(envelope, bytes([byte ^ (1 << bit)]), at), place=PLACE)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param("", id="empty"),
        pytest.param("e1.", id="only-the-prefix"),
        pytest.param("e2." + "A" * 100, id="unknown-prefix"),
        pytest.param("e1.AQ", id="too-short"),
        pytest.param("e1.+/==" + "A" * 90, id="another-alphabet"),
        pytest.param("e1." + "A" * 90 + "\u0660", id="not-ascii"),
        pytest.param("e1." + "A" * 100 + "=", id="padded"),
    ],
)
def test_a_malformed_text_is_refused(forged: str) -> None:
    for use in (named_key, lambda text: key_of().decrypt(text, place=PLACE)):
        with pytest.raises(EnvelopeBroken):
            use(forged)


def test_an_unknown_version_a_cut_and_a_second_spelling_are_refused() -> None:
    envelope = key_of().encrypt(b"secret-secret", place=PLACE)
    for forged in (rewritten(envelope, b"\x02", 0), envelope[:-8], envelope[:50], envelope + "A", envelope + "="):
        with pytest.raises(EnvelopeBroken):
            key_of().decrypt(forged, place=PLACE)
    # The last character of 58 bytes has four unused bits: only one of its spellings counts.
    last = envelope[-1]
    spellings = [envelope[:-1] + other for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert len(envelope[3:]) % 4 != 0
    assert [text[-1] for text in spellings if _opens(text)] == [last]


def _opens(text: str) -> bool:
    try:
        return key_of().decrypt(text, place=PLACE) == b"secret-secret"
    except EnvelopeBroken:
        return False


def test_the_longest_text_opens_and_a_longer_one_is_refused_before_it_is_decoded() -> None:
    longest = bytes(MAX_PLAINTEXT_BYTES)
    envelope = key_of().encrypt(longest, place=PLACE)
    assert key_of().decrypt(envelope, place=PLACE) == longest
    with pytest.raises(ValueError, match="at most 1048576 bytes"):
        key_of().encrypt(longest + b"x", place=PLACE)
    began = time.process_time()
    with pytest.raises(EnvelopeBroken, match="too long"):
        key_of().decrypt(envelope + "A" * 10, place=PLACE)
    assert time.process_time() - began < 0.01


def test_a_sealed_value_is_not_an_envelope() -> None:
    sealed = Sealer([new_sealing_key()]).seal(b"tokens", purpose="session-tokens")
    assert not is_envelope(sealed)


def test_a_digest_differs_by_key_and_text_and_is_not_a_message_key() -> None:
    digests = {
        key_of().digest("user-1"),
        key_of().digest("user-2"),
        key_of(material=bytes(32)).digest("user-1"),
        key_of().digest(""),
    }
    assert len(digests) == 4
    assert key_of().digest("user-1") == key_of().digest("user-1")
    assert {len(digest) for digest in digests} == {32}


def test_no_representation_shows_the_key() -> None:
    material = b"canary-canary-canary-canary-1234"
    assert "canary" not in repr(key_of(material=material)) + str(key_of(material=material))


@pytest.mark.parametrize("material", [b"", bytes(16), bytes(31), bytes(33)])
def test_a_key_has_32_bytes(material: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        key_of(material=material)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_no_other_texts_are_framed_the_same(first: list[str], second: list[str]) -> None:
    assert (framed(*first) == framed(*second)) == (first == second)
