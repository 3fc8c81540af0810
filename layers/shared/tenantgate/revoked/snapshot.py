"""A snapshot of all revocations: its form in Valkey, and the judgement of a token or a session.

Web functions and the authorizer judge by the same snapshot. Valkey has it under two keys of one hash slot, so that a
reader usually gets only the short one:

    {tenantgate:revocations}:head    {"epoch", "read_at", "closed"}: which snapshot is current, and when PostgreSQL was
                                     read
    {tenantgate:revocations}:body    the snapshot of that epoch

`epoch` counts the changes; PostgreSQL assigns it. `read_at` is in epoch milliseconds, from just before PostgreSQL was
read: freshness counts from then, not from the moment at which a reader got the snapshot. `closed`: only registered
tenants may take part; it is a setting, so that there may be two snapshots of one epoch.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import Word
from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.revoked.names import (
    EVERY_TENANT,
    NAME_BYTES,
    client_name,
    issuer_name,
    kid_name,
    session_name,
    subject_name,
    tenant_name,
    token_name,
    user_name,
)
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Any, Self

HEAD_KEY = "{tenantgate:revocations}:head"
BODY_KEY = "{tenantgate:revocations}:body"
# At most about this long with 100,000 entries.
LONGEST_BODY = 16 * 1024 * 1024
_FORM = 1


class PresentedToken(Record):
    """A verified bearer token. `client_ids`: of the client that got it. `issued_at`: its `iat`, 0 without one.

    `token_id`: its `jti`. `kid`: of the key that signed it, if its header names one. `text`: as it was sent.
    """

    __slots__ = ()

    tenant_id: str
    issuer: str
    user_id: str
    token_id: str | None
    text: str
    client_ids: Sequence[str]
    kid: str | None
    issued_at: int


class PresentedSession(Record):
    """A live session. `auth_time`: our own time of the sign-in."""

    __slots__ = ()

    tenant_id: str
    issuer: str
    user_id: str
    session_id: str
    auth_time: int


class Head(Record):
    """The current epoch, the epoch milliseconds at which PostgreSQL was read, and the rule for unknown tenants."""

    __slots__ = ()

    epoch: int
    read_at: int
    closed: bool = False

    def to_json(self) -> bytes:
        values = {"epoch": self.epoch, "read_at": self.read_at, "closed": self.closed}
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes | None) -> Self | None:
        """Read what `to_json` wrote; None for a missing value and for anything else."""
        values = _object(raw)
        if values is None or values.keys() != {"epoch", "read_at", "closed"}:
            return None
        epoch, read_at, closed = values["epoch"], values["read_at"], values["closed"]
        if not _is_count(epoch) or not _is_count(read_at) or type(closed) is not bool:
            return None
        return cls(epoch, read_at, closed)


class Snapshot(Record):
    """All revocations of an epoch. Names are those of `names.py`.

    `exact`: revoked tokens, sessions and key ids. `until`: users, clients and tenants, each with the epoch seconds up
    to which what was issued is refused. `suspended`: tenants. `registered`: the only tenants that may take part; None:
    all. `issuers`: of tenants that restrict them, the names of those allowed.
    """

    __slots__ = ()

    epoch: int
    exact: frozenset[bytes]
    until: Mapping[bytes, int]
    suspended: frozenset[bytes]
    registered: frozenset[bytes] | None
    issuers: Mapping[bytes, frozenset[bytes]]

    def require_token(self, token: PresentedToken, *, leeway: int) -> None:
        """Raise `TokenRevoked`, or `TenantNotAllowed`, unless the token may still be used.

        `leeway`: seconds by which the issuer's clock may be ahead: a token that was issued that long after the
        revocation may be an earlier one.
        """
        tenant = tenant_name(token.tenant_id)
        self._require_tenant(tenant, token.issuer)
        if token_name(token.issuer, token.token_id, token.text) in self.exact:
            raise TokenRevoked("the token is revoked", actual=Word("token"))
        self.require_key(token.issuer, token.kid)
        if not self.until:
            return
        names = {
            "tenant": tenant,
            "tenant (any)": EVERY_TENANT,
            "user": user_name(token.tenant_id, token.issuer, token.user_id),
            "user everywhere": subject_name(token.issuer, token.user_id),
            **{f"client {place}": client_name(token.issuer, name) for place, name in enumerate(token.client_ids)},
        }
        for kind, name in names.items():
            if token.issued_at <= self.until.get(name, -leeway - 1) + leeway:
                raise TokenRevoked("the token was issued before a revocation", actual=Word(kind.partition(" ")[0]))

    def require_key(self, issuer: str, kid: str | None) -> None:
        """Raise `TokenRevoked` if the issuer's key is revoked that signed a token of any kind. None: it has no id."""
        if kid is not None and kid_name(issuer, kid) in self.exact:
            raise TokenRevoked("the key that signed the token is revoked", actual=Word("kid"))

    def require_session(self, session: PresentedSession) -> None:
        """Raise `SessionEnded`, or `TenantNotAllowed`, unless the session may still be used. Our own clock counts."""
        tenant = tenant_name(session.tenant_id)
        self._require_tenant(tenant, session.issuer)
        if session_name(session.tenant_id, session.session_id) in self.exact:
            raise SessionEnded("the session is revoked", actual=Word("session"))
        for kind, name in (
            ("tenant", tenant),
            ("tenant", EVERY_TENANT),
            ("user", user_name(session.tenant_id, session.issuer, session.user_id)),
            ("user", subject_name(session.issuer, session.user_id)),
        ):
            if session.auth_time <= self.until.get(name, -1):
                raise SessionEnded("the session began before a revocation", actual=Word(kind))

    def _require_tenant(self, tenant: bytes, issuer: str) -> None:
        if tenant in self.suspended:
            raise TenantNotAllowed("the tenant is suspended")
        if self.registered is not None and tenant not in self.registered:
            raise TenantNotAllowed("the tenant isn't registered")
        allowed = self.issuers.get(tenant)
        if allowed is not None and issuer_name(issuer) not in allowed:
            raise TenantNotAllowed("the tenant doesn't allow this issuer", issuer=issuer)

    @property
    def closed(self) -> bool:
        """Tell whether only registered tenants may take part."""
        return self.registered is not None

    def head(self, read_at: int) -> Head:
        """Return its head. `read_at`: the epoch milliseconds at which PostgreSQL was read."""
        return Head(self.epoch, read_at, self.closed)

    def to_json(self) -> bytes:
        values = {
            "form": _FORM,
            "epoch": self.epoch,
            "registered": None if self.registered is None else _packed(self.registered),
            "exact": _packed(self.exact),
            "until": _packed(self.until),
            "times": [*self.until.values()],
            "suspended": _packed(self.suspended),
            "issuers": [[_packed([tenant]), _packed(names)] for tenant, names in self.issuers.items()],
        }
        return json.dumps(values, separators=(",", ":")).encode()

    @staticmethod
    def prefix(head: Head) -> bytes:
        """Return the bytes with which the form of each snapshot with this head begins, and no other does."""
        return b'{"form":%d,"epoch":%d,"registered":%b' % (_FORM, head.epoch, b'"' if head.closed else b"null")

    @classmethod
    def from_json(cls, raw: bytes | None) -> Self | None:
        """Read what `to_json` wrote; None for a missing value and for anything else."""
        values = _object(raw)
        if values is None or values.get("form") != _FORM or not _is_count(values.get("epoch")):
            return None
        try:
            until, times = _unpacked(values["until"]), values["times"]
            if not isinstance(times, list) or len(until) != len(times) or not all(map(_is_count, times)):
                return None
            registered = values["registered"]
            return cls(
                values["epoch"],
                frozenset(_unpacked(values["exact"])),
                dict(zip(until, times, strict=True)),
                frozenset(_unpacked(values["suspended"])),
                None if registered is None else frozenset(_unpacked(registered)),
                {_unpacked(tenant)[0]: frozenset(_unpacked(names)) for tenant, names in values["issuers"]},
            )
        except (KeyError, IndexError, TypeError, ValueError):
            return None


def _packed(names: Sequence[bytes] | frozenset[bytes] | Mapping[bytes, int]) -> str:
    return b64encode(b"".join(names)).decode()


def _unpacked(text: object) -> list[bytes]:
    """Return the names that `_packed` joined. Raises `ValueError`, `TypeError`."""
    if not isinstance(text, str):
        raise TypeError("names are text")
    joined = b64decode(text, validate=True)
    if len(joined) % NAME_BYTES:
        raise ValueError("a name has another length")
    return [joined[place : place + NAME_BYTES] for place in range(0, len(joined), NAME_BYTES)]


def _object(raw: bytes | None) -> Mapping[str, Any] | None:
    if raw is None:
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53
