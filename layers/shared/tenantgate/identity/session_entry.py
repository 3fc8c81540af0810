"""A session's entry in Valkey: its keys, its form, and the judgement that it is live.

Web functions write entries from PostgreSQL (`sessions/cache.py`); they and the authorizer read them. A secret has two
keys, which share their hash tag so that one `MGET` reads both from a cluster:

    tenantgate:session:{<h>}        the entry as JSON, or the tombstone of a session that has ended
    tenantgate:session-used:{<h>}   the session's last use, in whole epoch seconds

`<h>` is the SHA-256 of the tenant id, NUL and the secret's digest, in hex: a genuine secret under another tenant's name
has another key. The contents of Valkey don't make a cookie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256, Hash

from tenantgate.crypto.opaque import OpaqueKind
from tenantgate.identity.principal import Principal
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Any, Self

# The values of session cookies. Stored sessions have digests of the random part; another digest would end them all.
SESSION_SECRETS = OpaqueKind(digests_random_part_only=True)
TOMBSTONE = b"ended"
# A session's use is written at most this often.
MARK_SECONDS = 60
_NUMBERS = ("auth_time", "expires_at", "idle_seconds", "last_used_at", "fresh_until", "version")
_TEXTS = ("session_id", "tenant_id", "user_id", "issuer", "csrf_token")


class SessionKeys(Record):
    """The keys of one secret."""

    __slots__ = ()

    entry: str
    used: str


class SessionEntry(Record):
    """The grants of a session and its time limits. Times are whole epoch seconds.

    `auth_time`: our own time of the sign-in. `provider_auth_time`: the provider's, if it is known. `expires_at`: the
    end by the absolute timeout. `last_used_at`: PostgreSQL's. `fresh_until`: later, PostgreSQL must be read again.
    `good_until`: the end of the grace of a secret that was rotated. `version`: a higher one is newer.
    """

    __slots__ = ()

    session_id: str
    tenant_id: str
    user_id: str
    issuer: str
    csrf_token: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    amr: tuple[str, ...]
    acr: str | None
    auth_time: int
    provider_auth_time: int | None
    expires_at: int
    idle_seconds: int
    last_used_at: int
    fresh_until: int
    version: int
    good_until: int | None = None

    def to_json(self) -> bytes:
        return json.dumps(dict(zip(self._fields, self, strict=True)), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Self | None:
        """Read what `to_json` wrote; None for anything else, which something else has written."""
        try:
            values = json.loads(raw)
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, dict) or values.keys() != set(cls._fields) or not _is_well_formed(values):
            return None
        ordered = (values[name] for name in cls._fields)
        members: list[Any] = [tuple(value) if isinstance(value, list) else value for value in ordered]
        return cls(*members)

    def is_live(self, now: float, *, used: int) -> bool:
        """Tell whether the session may be used. `used`: its last use as far as Valkey knows, or 0."""
        return (
            now < self.fresh_until
            and now < self.expires_at
            and now - max(used, self.last_used_at) < self.idle_seconds
            and (self.good_until is None or now < self.good_until)
        )

    def principal(self) -> Principal:
        """Return the session's principal, whose claims are those that route rules read."""
        auth_time = self.auth_time if self.provider_auth_time is None else self.provider_auth_time
        claims: dict[str, object] = {"auth_time": auth_time, "amr": [*self.amr]}
        if self.acr is not None:
            claims["acr"] = self.acr
        return Principal(
            self.user_id,
            self.tenant_id,
            self.issuer,
            frozenset(self.scopes),
            self.expires_at,
            "session",
            claims,
            frozenset(self.roles),
            self.session_id,
            self.auth_time,
        )


def session_keys(tenant_id: str, secret_digest: bytes) -> SessionKeys:
    """Return the keys for a secret. `secret_digest`: 32 bytes, as PostgreSQL stores it."""
    digest = Hash(SHA256())
    digest.update(tenant_id.encode() + b"\0" + secret_digest)
    tag = digest.finalize().hex()
    return SessionKeys(f"tenantgate:session:{{{tag}}}", f"tenantgate:session-used:{{{tag}}}")


def live_entry(raw_entry: bytes | None, raw_used: bytes | None, *, now: float) -> SessionEntry | None:
    """Return the entry of a live session from the two values of its keys, otherwise None. `now`: epoch seconds."""
    if raw_entry is None or raw_entry == TOMBSTONE:
        return None
    entry = SessionEntry.from_json(raw_entry)
    return entry if entry is not None and entry.is_live(now, used=last_use(raw_used)) else None


def last_use(raw_used: bytes | None) -> int:
    """Return the time in the value of the `used` key; 0 if it is missing or malformed."""
    return int(raw_used) if raw_used is not None and raw_used.isdigit() and len(raw_used) <= 12 else 0


def needs_mark(entry: SessionEntry, raw_used: bytes | None, *, now: float) -> bool:
    """Tell whether this use must be written: the last one written is more than a minute ago."""
    return now - max(last_use(raw_used), entry.last_used_at) >= MARK_SECONDS


def _is_well_formed(values: Mapping[str, object]) -> bool:
    return (
        all(type(values[name]) is int for name in _NUMBERS)
        and all(isinstance(values[name], str) for name in _TEXTS)
        and all(_are_texts(values[name]) for name in ("scopes", "roles", "amr"))
        and all(values[name] is None or type(values[name]) is int for name in ("provider_auth_time", "good_until"))
        and isinstance(values["acr"], str | None)
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
