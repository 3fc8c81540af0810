"""Sealed values: text that a browser or a table holds for the service and can neither read nor change.

AES-256-GCM (NIST SP 800-38D) under a key derived per purpose with HKDF-SHA-256 (RFC 5869). A sealed value is
`base64url(version ‖ key id ‖ nonce ‖ ciphertext and tag)`: it names its format and its key, so values sealed
before a rotation still open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenantgate.errors.base import Word

logger = logging.getLogger(__name__)

_VERSION = b"\x01"
# Anyone can send any number of forged values, so that there is one line a minute at most.
_REPORT_SECONDS = 60.0
_KEY_BYTES, _KEY_ID_BYTES, _NONCE_BYTES = 32, 8, 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES
# Of 32 random bytes about 30 are different. A random key has fewer than this many once in 10^15 keys.
_FEWEST_DIFFERENT_BYTES = 17
# The characters of base64url to their numbers.
_SEXTETS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", bytes(range(64)))
_REMEDY = "make one with: python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"


class SealBroken(Exception):
    """The value was not sealed with these keys for this purpose and context, or was changed."""


class Sealer:
    """Seals with the newest key and opens with any of them.

    `keys`: newest first, each 32 random bytes as unpadded or padded base64url. A key of another form, or one that is
    plainly not random, raises `ValueError`, which gives its number in the list and never its text.
    """

    def __init__(
        self,
        keys: Sequence[str],
        *,
        setting: str = "COOKIE_SEALING_KEYS",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the keys, and in `setting` the name of their variable, for the log."""
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
        self._setting = Word(setting)
        self._clock = clock
        self._unreported = 0
        self._report_at = float("-inf")

    @property
    def key_ids(self) -> Sequence[str]:
        """The ids of the keys, the newest first: 16 hexadecimal digits each. They tell nothing of the keys."""
        return [key_id.hex() for key_id in self._keys]

    def seal(self, plaintext: bytes, *, purpose: str, context: bytes = b"") -> str:
        """Seal `plaintext`, so that only `open` with the same `purpose` and `context` returns it."""
        nonce = os.urandom(_NONCE_BYTES)
        header = _VERSION + self._newest + nonce
        ciphertext = self._cipher(self._newest, purpose).encrypt(nonce, plaintext, header + context)
        return base64.urlsafe_b64encode(header + ciphertext).rstrip(b"=").decode()

    def open(self, sealed: str, *, purpose: str, context: bytes = b"") -> bytes:
        """Return the plaintext. Raises `SealBroken`."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise SealBroken from None
        # Only one spelling: base64 would also accept padding and stray last bits.
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != sealed:
            raise SealBroken
        header, ciphertext = raw[:_HEADER_BYTES], raw[_HEADER_BYTES:]
        key_id, nonce = header[1 : 1 + _KEY_ID_BYTES], header[1 + _KEY_ID_BYTES :]
        if header[:1] != _VERSION or len(header) < _HEADER_BYTES:
            raise SealBroken
        if key_id not in self._keys:
            self._report(purpose)
            raise SealBroken
        try:
            return self._cipher(key_id, purpose).decrypt(nonce, ciphertext, header + context)
        except (InvalidTag, ValueError):
            raise SealBroken from None

    def digest(self, text: str, *, purpose: str) -> bytes:
        """Return the digest (32 bytes, HMAC-SHA-256) of a text under the newest key."""
        return self.digests(text, purpose=purpose)[0]

    def digests(self, text: str, *, purpose: str) -> Sequence[bytes]:
        """Return the digest of a text under every key, the newest first, to find what an earlier one was made for."""
        return [hmac.digest(self._derived(key_id, purpose), text.encode(), "sha256") for key_id in self._keys]

    def _report(self, purpose: str) -> None:
        self._unreported += 1
        if (now := self._clock()) < self._report_at:
            return
        logger.warning(
            "sealed values were refused: no key of %s has sealed them (a key that was removed, or a forgery)",
            self._setting,
            extra={"context": {"purpose": Word(purpose), "refused": self._unreported}},
        )
        self._unreported, self._report_at = 0, now + _REPORT_SECONDS

    def _cipher(self, key_id: bytes, purpose: str) -> AESGCM:
        return AESGCM(self._derived(key_id, purpose))

    def _derived(self, key_id: bytes, purpose: str) -> bytes:
        # One key per purpose: a value sealed for one use can never be opened as another.
        kdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"tenantgate/" + purpose.encode())
        return kdf.derive(self._keys[key_id])

    @staticmethod
    def _key_id(key: bytes) -> bytes:
        return hashlib.sha256(b"tenantgate/key-id" + key).digest()[:_KEY_ID_BYTES]


def new_sealing_key() -> str:
    """Return a new random key, as unpadded base64url."""
    return base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).rstrip(b"=").decode()


def decode_sealing_key(text: str) -> bytes:
    """Return the 32 bytes of a base64url key. Raises `ValueError`, which never repeats the text."""
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
    """Recognize zeros, text, and repeated or counted patterns, which people use as keys and attackers try first."""
    # All 32 random bytes are printable once in 10^13 keys.
    is_text = key.isascii() and key.decode("ascii").isprintable()
    sextets = base64.urlsafe_b64encode(key).rstrip(b"=").translate(_SEXTETS)
    return len(set(key)) < _FEWEST_DIFFERENT_BYTES or is_text or _counts(key) or _counts(sextets)


def _counts(values: bytes) -> bool:
    """Return True if most values differ from the one before by the same amount."""
    steps = [(after - before) % 256 for before, after in pairwise(values)]
    return max(map(steps.count, steps)) > len(steps) // 2
