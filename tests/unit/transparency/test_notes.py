"""Signed notes: the specification's own example, and notes that no verifier may accept."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.transparency.errors import NoteMalformed, NoteUnsigned, Unproven
from tenantgate.transparency.notes import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    VerifierKey,
    open_note,
    public_key,
    sign,
    signed_note,
    split_note,
    verifier_key,
)

# c2sp.org/signed-note, "Verifier keys", the example.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
PRIVATE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
KEY = public_key("acme.example/log", PRIVATE)
TEXT = "acme.example/log\n1\nhash\n"
SIGNED = sign(TEXT, KEY.name, PRIVATE)


def line_of(note: str) -> str:
    return note.rpartition("\n\n")[2]


def test_opens_the_example_of_the_specification() -> None:
    key = verifier_key(VKEY)
    assert open_note(NOTE, [key]) == ("This is an example message.\n", (key,))
    assert open_note(NOTE.encode(), [key]).text == "This is an example message.\n"
    assert str(key) == VKEY


def test_signs_what_it_opens() -> None:
    assert open_note(SIGNED, [verifier_key(str(KEY))]) == (TEXT, (KEY,))


def test_ignores_signatures_of_other_keys() -> None:
    other = public_key("witness.example", OTHER)
    note = SIGNED + line_of(signed_note(TEXT, [(other, b"of another type")]))
    assert open_note(note, [KEY]).keys == (KEY,)
    # The same name with another key, and the same key under another name, are other keys.
    same_name = SIGNED + line_of(sign("another text\n", KEY.name, OTHER))
    assert open_note(same_name, [KEY]).keys == (KEY,)
    with pytest.raises(NoteUnsigned):
        open_note(SIGNED, [public_key("acme.example/other", PRIVATE), public_key(KEY.name, OTHER)])


def test_one_wrong_signature_of_a_known_key_makes_the_note_invalid() -> None:
    note = SIGNED + line_of(sign("another text\n", KEY.name, PRIVATE))
    with pytest.raises(NoteUnsigned, match="wrong"):
        open_note(note, [KEY])


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(SIGNED.replace("\n1\n", "\n2\n"), id="another-text"),
        pytest.param(signed_note(TEXT, [(KEY, bytes(64))]), id="no-signature"),
        pytest.param(signed_note(TEXT, [(KEY, PRIVATE.sign(TEXT.encode())[:-1])]), id="truncated-signature"),
        pytest.param(signed_note(TEXT, [(KEY, PRIVATE.sign(TEXT.encode()) + b"\0")]), id="longer-signature"),
        pytest.param(signed_note(TEXT, [(KEY, OTHER.sign(TEXT.encode()))]), id="signed-by-another-key-under-this-id"),
        pytest.param(sign(TEXT, KEY.name, OTHER), id="another-key-of-this-name"),
    ],
)
def test_refuses_what_the_key_did_not_sign(forged: str) -> None:
    with pytest.raises(NoteUnsigned):
        open_note(forged, [KEY])


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param("", id="empty"),
        pytest.param(TEXT, id="no-signature"),
        pytest.param(SIGNED[:-1], id="no-last-newline"),
        pytest.param(SIGNED + "\n", id="another-empty-line"),
        pytest.param(SIGNED.replace("— ", "- "), id="hyphen"),
        pytest.param(SIGNED.replace("— ", "—"), id="no-space-after-the-dash"),
        pytest.param(SIGNED.replace("— ", "—  "), id="two-spaces"),
        pytest.param(SIGNED.replace("\n—", "\r\n—"), id="carriage-return"),
        pytest.param(SIGNED.replace("hash", "ha\tsh"), id="tabulator"),
        pytest.param(SIGNED.replace("hash", "ha\0sh"), id="nul"),
        pytest.param(SIGNED.replace("=\n", "\n"), id="no-padding"),
        pytest.param(SIGNED[:-1] + " \n", id="space-after-the-signature"),
        pytest.param(SIGNED[:-1] + "=\n", id="too-much-padding"),
        pytest.param(SIGNED + "text after it\n", id="text-after-it"),
        pytest.param(f"{TEXT}\n— name {base64.b64encode(b'only').decode()}\n", id="only-a-key-id"),
        pytest.param(SIGNED.encode("utf-16"), id="utf-16"),
        pytest.param(SIGNED.replace("hash", "ha\udc00sh"), id="half-a-surrogate-pair"),
        pytest.param(SIGNED + line_of(SIGNED) * MAX_SIGNATURES, id="too-many-signatures"),
        pytest.param("x" * MAX_NOTE_BYTES + SIGNED, id="oversized"),
    ],
)
def test_refuses_malformed_notes(malformed: str | bytes) -> None:
    with pytest.raises(NoteMalformed):
        open_note(malformed, [KEY])


def test_base64_has_one_spelling() -> None:
    # The last character before the padding has two unused bits.
    signature = re.search(r"(.)=*\n\Z", SIGNED)
    assert signature is not None
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    place = signature.start(1)
    stray = SIGNED[:place] + alphabet[alphabet.index(SIGNED[place]) + 1] + SIGNED[place + 1 :]
    assert base64.b64decode(stray.split()[-1]) == base64.b64decode(SIGNED.split()[-1])
    with pytest.raises(NoteMalformed):
        open_note(stray, [KEY])


def test_the_text_may_have_empty_lines() -> None:
    note = sign("one\n\ntwo\n\n", KEY.name, PRIVATE)
    assert open_note(note, [KEY]).text == "one\n\ntwo\n\n"
    assert split_note(note)[0] == "one\n\ntwo\n\n"


@pytest.mark.parametrize("text", ["", "no newline", "a\rb\n", "\x1b[2J\n"])
def test_signs_no_text_that_a_note_cannot_have(text: str) -> None:
    with pytest.raises(ValueError, match="newline"):
        sign(text, KEY.name, PRIVATE)


def test_a_note_has_a_signature() -> None:
    with pytest.raises(ValueError, match="signature"):
        signed_note(TEXT, [])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("example.com/foo", id="only-a-name"),
        pytest.param(VKEY[:-1], id="truncated"),
        pytest.param(VKEY[:-4], id="shorter-key"),
        pytest.param(VKEY.replace("530d903a", "530D903A"), id="capitals"),
        pytest.param(VKEY.replace("530d903a", "530d903b"), id="another-id"),
        pytest.param(VKEY.replace("foo", "bar"), id="another-name"),
        pytest.param(VKEY.replace("foo", "f o"), id="a-space-in-the-name"),
        pytest.param(VKEY.replace("foo+", "foo\n+"), id="a-line-end-in-the-name"),
        pytest.param(VKEY.replace("+Ae", "+Aue"), id="other-bits"),
        pytest.param("PRIVATE+KEY+example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="private"),
        pytest.param(f"name+00000000+{base64.b64encode(bytes([4]) + bytes(32)).decode()}", id="another-type"),
        pytest.param(f"+00000000+{base64.b64encode(bytes([1]) + bytes(32)).decode()}", id="no-name"),
    ],
)
def test_refuses_malformed_verifier_keys(text: str) -> None:
    with pytest.raises(NoteMalformed):
        verifier_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x7f b", "a\x01b"])
def test_no_key_has_such_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        VerifierKey(name, bytes(32))


@given(st.text("— \n+=aA4ü", max_size=60) | st.binary(max_size=60), st.integers(0, len(SIGNED)))
def test_raises_only_its_own_errors(inserted: str | bytes, place: int) -> None:
    raw = inserted if isinstance(inserted, bytes) else inserted.encode()
    whole = SIGNED.encode()
    for forged in (raw, whole[:place] + raw + whole[place:], whole[:place]):
        if forged != whole:
            with pytest.raises(Unproven):
                open_note(forged, [KEY])
