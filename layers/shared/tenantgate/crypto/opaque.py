"""Opaque secrets that begin with their tenant, such as session cookies and authorization codes.

The text of a secret is `<prefix><tenant id>.<random part>`:

- The prefix names the kind, so that a secret scanner recognizes one in a repository or a log. It may be empty.
- The tenant id is percent-encoded (RFC 3986 §2.1), so that a header, a cookie and a URL can carry it. It says in which
  tenant to look, since row-level security shows no row outside one. It proves nothing: under another tenant's id the
  secret is not found.
- The random part is 256 bits as unpadded base64url (RFC 4648 §5), 43 characters.

A secret has one spelling; `parse` refuses every other. Only its SHA-256 digest is stored. A digest of 256 random bits
needs neither salt nor a slow hash, and is useless to a client: only the secret itself is accepted.
"""

from __future__ import annotations

import os
import re
from binascii import b2a_base64

from cryptography.hazmat.primitives.hashes import SHA256, Hash

_RANDOM_BYTES = 32
# A tenant id has at most 128 characters, of at most 4 bytes in UTF-8, each of 3 characters when encoded.
_LONGEST_TENANT = 128 * 4 * 3
# 32 bytes fill 42 characters and 4 bits of the last one: its other 2 bits are zero, or it would be a second spelling.
_TEXT = re.compile(
    rf"(?P<tenant>[A-Za-z0-9._~%-]{{1,{_LONGEST_TENANT}}})"
    r"\.(?P<random>[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"
)
# `_` ends a prefix and is nowhere else in it, so no kind's prefix begins another's.
_PREFIX = re.compile(r"([a-z][a-z0-9]{1,15}_)?")
_BASE64URL = bytes.maketrans(b"+/", b"-_")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class OpaqueSecret:
    """A secret, the tenant it names, and the digest (32 bytes) under which its row is stored. No repr shows `text`."""

    __slots__ = ("digest", "tenant_id", "text")

    def __init__(self, text: str, tenant_id: str, digest: bytes) -> None:
        self.text = text
        self.tenant_id = tenant_id
        self.digest = digest


class OpaqueKind:
    """One kind of secret: issues and parses.

    The digest covers the whole text, so a secret with another prefix or tenant id has another digest.
    `digests_random_part_only` is only for session secrets, whose stored digests never covered the rest.
    """

    def __init__(self, *, prefix: str = "", digests_random_part_only: bool = False) -> None:
        if _PREFIX.fullmatch(prefix) is None:
            raise ValueError("a prefix is 2 to 16 lower-case letters and digits, beginning with a letter, and `_`")
        self._prefix = prefix
        self._random_part_only = digests_random_part_only

    def issue(self, tenant_id: str) -> OpaqueSecret:
        """Make a new secret. Raises `ValueError` for a tenant id that none can carry."""
        random_part = b2a_base64(os.urandom(_RANDOM_BYTES), newline=False).translate(_BASE64URL, b"=").decode()
        issued = self.parse(f"{self._prefix}{_encoded(tenant_id)}.{random_part}")
        if issued is None:
            raise ValueError("no opaque secret can carry this tenant id")
        return issued

    def parse(self, text: str) -> OpaqueSecret | None:
        """Read a secret's tenant and digest, or return None for a text that `issue` never makes.

        A secret that parses may still be forged: only a row found under its tenant and digest shows that it is not.
        """
        if not text.startswith(self._prefix) or (found := _TEXT.fullmatch(text, len(self._prefix))) is None:
            return None
        tenant_id = _decoded(found["tenant"])
        # PostgreSQL holds no NUL.
        if tenant_id is None or "\0" in tenant_id:
            return None
        return OpaqueSecret(text, tenant_id, _sha256(found["random"] if self._random_part_only else text))


def random_token() -> bytes:
    """Return 256 random bits for a token that is stored in plain text, such as a CSRF token."""
    return os.urandom(_RANDOM_BYTES)


def _encoded(tenant_id: str) -> str:
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in tenant_id.encode())


def _decoded(encoded: str) -> str | None:
    if "%" not in encoded:
        return encoded
    plain, *escaped = encoded.split("%")
    try:
        tail = b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in escaped)
        tenant_id = (plain.encode() + tail).decode()
    except ValueError:
        return None
    return tenant_id if _encoded(tenant_id) == encoded else None


def _sha256(text: str) -> bytes:
    # Not `hashlib`: importing it costs 2 ms, and the verification of tokens has loaded this one already.
    digest = Hash(SHA256())
    digest.update(text.encode())
    return digest.finalize()
