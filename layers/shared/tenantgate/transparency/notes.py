"""Signed notes (c2sp.org/signed-note, version 1.0.0) with Ed25519 signatures (RFC 8032): signature type 1.

A note is a text that ends with a newline, an empty line, and a line for each signature: `— name base64`, with the key's
id in the first 4 of the decoded bytes. A verifier key is `name+id+base64`, with the type before the public key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenantgate.transparency.errors import NoteMalformed, NoteUnsigned

# A verifier has to accept 16 signatures; those of other types than ours have up to 5 kB.
MAX_NOTE_BYTES = 256 * 1024
MAX_SIGNATURES = 100

_ED25519 = b"\x01"
_PUBLIC_BYTES, _SIGNATURE_BYTES, _ID_BYTES = 32, 64, 4
_MARK = "— "
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f]")
_HEX_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key. `str` gives its text form. Raises `ValueError` for a name that no note can have.

    A checkpoint's key has the name of the log's origin, so that each log has its own verifier key, also if several
    are signed with one private key.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        # A space would end the name in the signature's line, and a plus in the verifier key.
        bad = not self.name or "+" in self.name or any(one.isspace() for one in self.name)
        if bad or _CONTROLS.search(self.name):
            raise ValueError("not the name of a key")
        if len(self.public_key) != _PUBLIC_BYTES:
            raise ValueError("an Ed25519 public key is 32 bytes")

    @property
    def id(self) -> bytes:
        """The first 4 bytes of a hash of name and key. Other keys can have the same: it proves nothing."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encoded(_ED25519 + self.public_key)}"

    def verify(self, signature: bytes, text: str) -> None:
        """Verify a signature (64 bytes) of a note's text. Raises `NoteUnsigned`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            raise NoteUnsigned("the signature is wrong") from None


class OpenedNote(NamedTuple):
    """A note's text, and the keys that signed it: one at least."""

    text: str
    keys: tuple[VerifierKey, ...]


def verifier_key(text: str) -> VerifierKey:
    """Read a verifier key. Raises `NoteMalformed`, also for other types of keys than Ed25519."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _HEX_ID.fullmatch(parts[1]):
        raise NoteMalformed("not a verifier key: it has a name, 8 hexadecimal digits and a key, joined by plus signs")
    raw = decoded(parts[2])
    if raw is None or raw[:1] != _ED25519:
        raise NoteMalformed("not an Ed25519 verifier key")
    try:
        key = VerifierKey(parts[0], raw[1:])
    except ValueError:
        raise NoteMalformed("not a verifier key: its name or its length is impossible") from None
    if key.id.hex() != parts[1]:
        raise NoteMalformed("the verifier key's digits don't belong to its name and key: it is incomplete or changed")
    return key


def public_key(name: str, private_key: Ed25519PrivateKey) -> VerifierKey:
    """Return the verifier key of a private key under a name."""
    return VerifierKey(name, private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def sign(text: str, name: str, private_key: Ed25519PrivateKey) -> str:
    """Return the note of a text with one signature. Raises `ValueError` for a text that no note can have."""
    require_note_text(text)
    return signed_note(text, [(public_key(name, private_key), private_key.sign(text.encode()))])


def signed_note(text: str, signatures: Iterable[tuple[VerifierKey, bytes]]) -> str:
    """Return the note of a text whose UTF-8 bytes were signed. Raises `ValueError` for a text that no note can have."""
    require_note_text(text)
    lines = [f"{_MARK}{key.name} {encoded(key.id + signature)}\n" for key, signature in signatures]
    if not lines:
        raise ValueError("a note has a signature")
    return f"{text}\n{''.join(lines)}"


def require_note_text(text: str) -> None:
    """Raise `ValueError` for a text that no note can have."""
    if not text.endswith("\n") or _CONTROLS.search(text):
        raise ValueError("a note's text ends with a newline, and has no other control characters")
    text.encode()


def open_note(note: str | bytes, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Return the text of a note that a known key signed.

    Signatures of other keys are ignored. Raises `NoteMalformed`, and `NoteUnsigned` if none of `keys` signed it or a
    signature of one of them is wrong.
    """
    text, signatures = split_note(note)
    known = {(key.name, key.id): key for key in keys}
    found: list[VerifierKey] = []
    for name, raw in signatures:
        key = known.get((name, raw[:_ID_BYTES]))
        if key is not None:
            key.verify(raw[_ID_BYTES:], text)
            found.append(key)
    if not found:
        raise NoteUnsigned("no known key signed it")
    return OpenedNote(text, tuple(dict.fromkeys(found)))


def split_note(note: str | bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the unverified text of a note, and the name, and id with signature, of each signature's line.

    Raises `NoteMalformed`.
    """
    whole = _readable(note)
    text, separator, lines = whole.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise NoteMalformed("not a signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        name, space, signature = line.removeprefix(_MARK).partition(" ")
        raw = decoded(signature)
        if not line.startswith(_MARK) or not space or not name or raw is None or len(raw) <= _ID_BYTES:
            raise NoteMalformed("not a signed note: one of its signature lines is malformed")
        signatures.append((name, raw))
    if len(signatures) > MAX_SIGNATURES:
        raise NoteMalformed(f"a note has at most {MAX_SIGNATURES} signatures")
    return text + "\n", signatures


def _readable(note: str | bytes) -> str:
    # Before anything is decoded or copied: the size of a file must not decide how much work this is.
    if len(note) > MAX_NOTE_BYTES:
        raise NoteMalformed(f"a note has at most {MAX_NOTE_BYTES // 1024} KiB")
    try:
        text = note.decode() if isinstance(note, bytes) else note
        text.encode()
    except UnicodeError:
        raise NoteMalformed("not a signed note: it isn't UTF-8") from None
    if _CONTROLS.search(text):
        raise NoteMalformed("not a signed note: it has control characters")
    return text


def encoded(raw: bytes) -> str:
    """Return bytes as base64 (RFC 4648 §4)."""
    return base64.b64encode(raw).decode()


def decoded(text: str) -> bytes | None:
    """Return the bytes of a base64 text, None if it isn't exactly what `encoded` returns."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Padding and stray last bits would give one signature several spellings.
    return raw if encoded(raw) == text else None
