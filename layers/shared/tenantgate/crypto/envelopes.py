"""Envelopes: data at rest, encrypted with a data key of its owner, which is stored only in wrapped form.

An envelope is the text `e1.` and unpadded base64url (RFC 4648 §5) of

    version (1 byte) ‖ id of the data key (16) ‖ salt (16) ‖ nonce (12) ‖ ciphertext and tag

It is AES-256-GCM (NIST SP 800-38D) under a key that HMAC-SHA-256 derives from the data key and the salt for this one
message, so that a data key encrypts any number of messages: random nonces of one key would repeat after about 2^32.
The associated data are the bytes before the ciphertext, the owner with its subject's digest, and the place: the table,
column and primary key for which the value was encrypted. Copied to another row, tenant or purpose, an envelope doesn't
open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantgate.crypto.errors import EnvelopeBroken

PREFIX = "e1."
KEY_BYTES = 32
# The longest plaintext. Provider tokens with many groups have some tens of kilobytes.
MAX_PLAINTEXT_BYTES = 1024 * 1024

_VERSION = b"\x01"
_ID_BYTES, _SALT_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 16, 12, 16
_NAMED_BYTES = len(_VERSION) + _ID_BYTES
_HEADER_BYTES = _NAMED_BYTES + _SALT_BYTES + _NONCE_BYTES
# base64url of the longest envelope.
_LONGEST = len(PREFIX) + -(-(_HEADER_BYTES + MAX_PLAINTEXT_BYTES + _TAG_BYTES) * 4 // 3)
_MESSAGE, _DIGEST = b"tenantgate/envelope/message", b"tenantgate/envelope/digest"


class KeyOwner(NamedTuple):
    """The owner of data keys.

    `purpose`: one of the product's constants, such as `session-tokens`. `subject`: the text that names one person in
    the tenant for keys that are destroyed when that person is erased; None for a key of the whole tenant. Only a digest
    of it is stored, and only until its keys are destroyed.
    """

    tenant_id: str
    purpose: str
    subject: str | None = None

    def stored(self) -> StoredOwner:
        """Return the owner as its stored keys name it."""
        return StoredOwner(self.tenant_id, self.purpose, subject_digest(self))


class StoredOwner(NamedTuple):
    """The owner of a stored data key. `subject_hash`: `subject_digest`, so that the key opens without its subject."""

    tenant_id: str
    purpose: str
    subject_hash: bytes


def subject_digest(owner: KeyOwner) -> bytes:
    """Return the digest (32 bytes) by which the keys of a subject are found; empty for a key of the whole tenant.

    It is bound to the tenant and the purpose, so that it doesn't tell whether two tenants know the same person. Anyone
    who can guess the subject can compute it: it is removed with the key.
    """
    if owner.subject is None:
        return b""
    return hashlib.sha256(b"tenantgate/data-key/subject" + framed(*owner[:2], owner.subject)).digest()


class DataKey:
    """A data key in memory. No repr shows it. Safe to share between tasks and threads; makes no call.

    Hold one only for the duration of one piece of work: the 60 seconds within which a destroyed key stops opening are
    counted by `data_keys.service.DataKeys`, which returns them.
    """

    __slots__ = ("_key", "_owner", "id", "owner")

    def __init__(self, owner: KeyOwner | StoredOwner, key_id: UUID, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a data key is 32 bytes")
        self.id = key_id
        self.owner = owner.stored() if isinstance(owner, KeyOwner) else owner
        self._owner = framed(self.owner.tenant_id, self.owner.purpose, self.owner.subject_hash.hex())
        self._key = key

    def encrypt(self, plaintext: bytes, *, place: Sequence[str]) -> str:
        """Return the envelope of `plaintext`, which only opens for the same owner and `place`.

        `place`: table, column and primary key of the value, such as `("sessions", "sealed_tokens", str(session_id))`.
        Raises `ValueError` for more than `MAX_PLAINTEXT_BYTES`.
        """
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise ValueError(f"an envelope holds at most {MAX_PLAINTEXT_BYTES} bytes")
        header = _VERSION + self.id.bytes + os.urandom(_SALT_BYTES + _NONCE_BYTES)
        ciphertext = self._cipher(header).encrypt(header[-_NONCE_BYTES:], plaintext, self._bound(header, place))
        return PREFIX + base64.urlsafe_b64encode(header + ciphertext).rstrip(b"=").decode()

    def decrypt(self, envelope: str, *, place: Sequence[str]) -> bytes:
        """Return the plaintext. Raises `EnvelopeBroken`."""
        raw = _decoded(envelope)
        header, ciphertext = raw[:_HEADER_BYTES], raw[_HEADER_BYTES:]
        if header[len(_VERSION) : _NAMED_BYTES] != self.id.bytes:
            raise EnvelopeBroken("the envelope names another key")
        try:
            return self._cipher(header).decrypt(header[-_NONCE_BYTES:], ciphertext, self._bound(header, place))
        except InvalidTag:
            raise EnvelopeBroken("the envelope doesn't open here") from None

    def digest(self, text: str) -> bytes:
        """Return the digest (32 bytes, HMAC-SHA-256) of a text, for look-ups that end with the key."""
        return hmac.digest(hmac.digest(self._key, _DIGEST, "sha256"), text.encode(), "sha256")

    def _cipher(self, header: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, _MESSAGE + header[_NAMED_BYTES:-_NONCE_BYTES], "sha256"))

    def _bound(self, header: bytes, place: Sequence[str]) -> bytes:
        return header + self._owner + framed(*place)


def is_envelope(text: str) -> bool:
    """Tell whether a stored text is an envelope, or in an older form. No sealed value has a full stop."""
    return text.startswith(PREFIX)


def named_key(envelope: str) -> UUID:
    """Return the id of the data key that an envelope names. Raises `EnvelopeBroken`, also for unknown versions."""
    return UUID(bytes=_decoded(envelope)[len(_VERSION) : _NAMED_BYTES])


def framed(*parts: str) -> bytes:
    """Join texts so that no other texts give the same bytes."""
    encoded = [part.encode(errors="surrogatepass") for part in parts]
    return b"".join([len(encoded).to_bytes(4), *(len(part).to_bytes(4) + part for part in encoded)])


def _decoded(envelope: str) -> bytes:
    # Before decoding: the size of a stored text must not decide how much memory this takes.
    if not envelope.startswith(PREFIX) or len(envelope) > _LONGEST:
        raise EnvelopeBroken("not an envelope of this version, or too long")
    text = envelope[len(PREFIX) :]
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise EnvelopeBroken("malformed") from None
    # Only one spelling: base64 would also accept padding and stray last bits.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise EnvelopeBroken("malformed")
    if raw[: len(_VERSION)] != _VERSION or len(raw) < _HEADER_BYTES + _TAG_BYTES:
        raise EnvelopeBroken("unknown version, or too short")
    return raw
