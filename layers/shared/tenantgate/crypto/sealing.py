"""Sealed values: what we hand to a browser or a table and must get back unread and unchanged.

AES-256-GCM (NIST SP 800-38D) under a key derived per purpose with HKDF-SHA-256 (RFC 5869). A sealed value is
`base64url(version ‖ key id ‖ nonce ‖ ciphertext and tag)`: it names its format and its key, so keys rotate without
breaking what is already out there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from itertools import pairwise

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_KEY_BYTES, _KEY_ID_BYTES, _NONCE_BYTES = 32, 8, 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES
# Of 32 random bytes about 30 differ; fewer than this many, about once in 10^15 keys.
_FEWEST_DIFFERENT_BYTES = 17
# base64url's characters to the numbers they stand for.
_SEXTETS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", bytes(range(64)))
_REMEDY = "make one with: python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"


class SealBroken(Exception):
    """The value was not sealed by us, for this purpose and context, or was changed since."""


class Sealer:
    """Seals with the newest key and opens with any of them.

    `keys`: newest first, each 32 random bytes as unpadded or padded base64url. A key of another form, or one that is
    plainly not random, raises `ValueError`, which says which one it is and never repeats it.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError(f"at least one sealing key is needed; {_REMEDY}")
        self._keys: dict[bytes, bytes] = {}
        for number, text in enumerate(keys, start=1):
            try:
                key = decode_sealing_key(text)
            except ValueError as problem:
                raise ValueError(f"key {number} of {len(keys)}: {problem}") from None
            self._keys[self._key_id(key)] = key
        self._newest = next(iter(self._keys))

    def seal(self, plaintext: bytes, *, purpose: str, context: bytes = b"") -> str:
        """Seal `plaintext`; only `open` with the same `purpose` and `context` gets it back."""
        nonce = os.urandom(_NONCE_BYTES)
        header = _VERSION + self._newest + nonce
        ciphertext = self._cipher(self._newest, purpose).encrypt(nonce, plaintext, header + context)
        return base64.urlsafe_b64encode(header + ciphertext).rstrip(b"=").decode()

    def open(self, sealed: str, *, purpose: str, context: bytes = b"") -> bytes:
        """Give back what was sealed, or raise `SealBroken`."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise SealBroken from None
        # One spelling alone: base64 would forgive padding and stray last bits.
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != sealed:
            raise SealBroken
        header, ciphertext = raw[:_HEADER_BYTES], raw[_HEADER_BYTES:]
        key_id, nonce = header[1 : 1 + _KEY_ID_BYTES], header[1 + _KEY_ID_BYTES :]
        if header[:1] != _VERSION or key_id not in self._keys:
            raise SealBroken
        try:
            return self._cipher(key_id, purpose).decrypt(nonce, ciphertext, header + context)
        except (InvalidTag, ValueError):
            raise SealBroken from None

    def _cipher(self, key_id: bytes, purpose: str) -> AESGCM:
        # One key per purpose: a value sealed for one use can never be opened as another.
        derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"tenantgate/" + purpose.encode()).derive(
            self._keys[key_id]
        )
        return AESGCM(derived)

    @staticmethod
    def _key_id(key: bytes) -> bytes:
        return hashlib.sha256(b"tenantgate/key-id" + key).digest()[:_KEY_ID_BYTES]


def decode_sealing_key(text: str) -> bytes:
    """The 32 bytes of a base64url key; anything else raises `ValueError`, without repeating the text."""
    try:
        key = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"a sealing key is 32 random bytes, written as base64url; {_REMEDY}")
    if _is_guessable(key):
        raise ValueError(f"a sealing key must be random, and this one isn't; {_REMEDY}")
    return key


def _is_guessable(key: bytes) -> bool:
    """Zeros, text, a repeated or counted pattern: what people write for a key, and attackers try first."""
    # Of 32 random bytes, all are printable once in 10^13 keys.
    is_text = key.isascii() and key.decode("ascii").isprintable()
    sextets = base64.urlsafe_b64encode(key).rstrip(b"=").translate(_SEXTETS)
    return len(set(key)) < _FEWEST_DIFFERENT_BYTES or is_text or _counts(key) or _counts(sextets)


def _counts(values: bytes) -> bool:
    """Whether most of them differ from the one before by the same amount."""
    steps = [(after - before) % 256 for before, after in pairwise(values)]
    return max(map(steps.count, steps)) > len(steps) // 2
