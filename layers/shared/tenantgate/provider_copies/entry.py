"""The form of a copy in Valkey: its fetch time, an HMAC, and the document.

An entry is the time in milliseconds (13 digits), an HMAC-SHA-256 (32 bytes), and the document as JSON in ASCII. The
HMAC is made under a key that is derived from the newest sealing key, and verified under each of them. It covers the
document's use, issuer and URL, the time and the document: an entry can neither be made, nor changed, nor moved to
another key without a sealing key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import NamedTuple

from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.tokens import MalformedToken
from tenantgate.tokens.copies import Copy
from tenantgate.tokens.fetch import MAX_BYTES
from tenantgate.tokens.jws import json_object

TIME_DIGITS = 13
_MAC_BYTES = 32
# A fetched document is longer only if it has many characters that JSON in ASCII escapes. It is not shared then.
LONGEST_ENTRY = TIME_DIGITS + _MAC_BYTES + MAX_BYTES
# Of the clocks of two servers.
LARGEST_DIFFERENCE_SECONDS = 1.0

_PURPOSE = "provider-copy"


class RefusedEntry(Exception):
    """The entry is not a copy to use. The text contains nothing of it."""


class Place(NamedTuple):
    """The document: its use (`cache_counts.py`), its issuer, and the URL where a process begins to look for it."""

    use: str
    issuer: str
    url: str

    def digest(self) -> str:
        """Return the hash in the entry's key."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:32]


def written(place: Place, document: Mapping[str, object], fetched_at: float, sealer: Sealer) -> bytes | None:
    """Return the entry of a document that was fetched at `fetched_at` (epoch seconds); None if it is too long."""
    time, body = f"{int(fetched_at * 1000):0{TIME_DIGITS}}", json.dumps(document, separators=(",", ":"))
    entry = time.encode() + sealer.digest(_text(place, time, body), purpose=_PURPOSE) + body.encode()
    return entry if len(entry) <= LONGEST_ENTRY else None


def read(place: Place, entry: bytes, sealer: Sealer, *, now: float, longest_age: float) -> Copy:
    """Return the copy in an entry, at most `longest_age` seconds old. Raises `RefusedEntry`."""
    try:
        head, body = entry[:TIME_DIGITS].decode("ascii"), entry[TIME_DIGITS + _MAC_BYTES :].decode("ascii")
    except UnicodeDecodeError:
        raise RefusedEntry("its form is another one") from None
    mac = entry[TIME_DIGITS : TIME_DIGITS + _MAC_BYTES]
    made = sealer.digests(_text(place, head, body), purpose=_PURPOSE)
    if not any(hmac.compare_digest(mac, each) for each in made):
        raise RefusedEntry("no sealing key of this process has signed it")
    fetched_at = int(head) / 1000
    if fetched_at > now + LARGEST_DIFFERENCE_SECONDS:
        raise RefusedEntry("its time is in the future")
    if now >= fetched_at + longest_age:
        raise RefusedEntry("it is too old")
    try:
        return Copy(json_object(body.encode(), "copy"), fetched_at)
    except MalformedToken:
        raise RefusedEntry("its document is not one JSON object") from None


def _text(place: Place, time: str, body: str) -> str:
    # As JSON, so that no two different lists have the same text.
    return json.dumps([*place, time, body])
