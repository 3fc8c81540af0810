"""A snapshot of all revocations: its form in Valkey, and the judgement of a token or a session.

Web functions and the authorizer judge by the same snapshot. Valkey has it under three keys of one hash slot, so that a
reader usually gets only the first, which is short, and after a revocation only the first and the last:

    {tenantgate:revocations}:head         {"epoch", "read_at", "closed", "base", "rules"}: which snapshot is current,
                                          and when PostgreSQL was read
    {tenantgate:revocations}:body         the snapshot of the epoch `base`
    {tenantgate:revocations}:additions    what was revoked since, up to `epoch`

`epoch` counts the changes; PostgreSQL assigns it. `rules` counts those that did more than add a revocation. `read_at`
is in epoch milliseconds, from just before PostgreSQL was read: freshness counts from then, not from the moment at which
a reader got the snapshot. `closed`: only registered tenants may take part; it is a setting, so that there may be two
snapshots of one epoch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import Word
from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.revoked.additions import Additions, times_by_name
from tenantgate.revoked.forms import is_count, json_object, packed, unpacked
from tenantgate.revoked.names import (
    EVERY_TENANT,
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
    from typing import Self

HEAD_KEY = "{tenantgate:revocations}:head"
BODY_KEY = "{tenantgate:revocations}:body"
ADDITIONS_KEY = "{tenantgate:revocations}:additions"
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
    """The current epoch, the epoch milliseconds at which PostgreSQL was read, and the rule for unknown tenants.

    `base`: the epoch of the body; None: `epoch`. `rules`: the number of changes that a body must show.
    """

    __slots__ = ()

    epoch: int
    read_at: int
    closed: bool = False
    base: int | None = None
    rules: int = 0

    @property
    def body_epoch(self) -> int:
        return self.epoch if self.base is None else self.base

    def to_json(self) -> bytes:
        values = {
            "epoch": self.epoch,
            "read_at": self.read_at,
            "closed": self.closed,
            "base": self.body_epoch,
            "rules": self.rules,
        }
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes | None) -> Self | None:
        """Read what `to_json` wrote; None for a missing value and for anything else."""
        values = json_object(raw)
        if values is None or values.keys() != {"epoch", "read_at", "closed", "base", "rules"}:
            return None
        epoch, read_at, closed, base, rules = (values[name] for name in ("epoch", "read_at", "closed", "base", "rules"))
        if not all(map(is_count, (epoch, read_at, base, rules))) or type(closed) is not bool or base > epoch:
            return None
        return cls(epoch, read_at, closed, None if base == epoch else base, rules)


class Snapshot(Record):
    """All revocations of an epoch. Names are those of `names.py`.

    `exact`: revoked tokens, sessions and key ids. `until`: users, clients and tenants, each with the epoch seconds up
    to which what was issued is refused. `suspended`: tenants. `registered`: the only tenants that may take part; None:
    all. `issuers`: of tenants that restrict them, the names of those allowed. `rules`: as in `Head`. `additions`: what
    was revoked since the epoch that `exact` shows; `until` shows it already.
    """

    __slots__ = ()

    epoch: int
    exact: frozenset[bytes]
    until: Mapping[bytes, int]
    suspended: frozenset[bytes]
    registered: frozenset[bytes] | None
    issuers: Mapping[bytes, frozenset[bytes]]
    rules: int = 0
    additions: Additions | None = None

    def require_token(self, token: PresentedToken, *, leeway: int) -> None:
        """Raise `TokenRevoked`, or `TenantNotAllowed`, unless the token may still be used.

        `leeway`: seconds by which the issuer's clock may be ahead: a token that was issued that long after the
        revocation may be an earlier one.
        """
        tenant = tenant_name(token.tenant_id)
        self._require_tenant(tenant, token.issuer)
        if self.has(token_name(token.issuer, token.token_id, token.text)):
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

    def require_issued(self, tenant_id: str, issuer: str, kid: str | None) -> None:
        """Raise `TenantNotAllowed`, or `TokenRevoked`, unless a token of this tenant and key can be genuine."""
        self._require_tenant(tenant_name(tenant_id), issuer)
        self.require_key(issuer, kid)

    def require_key(self, issuer: str, kid: str | None) -> None:
        """Raise `TokenRevoked` if the issuer's key is revoked that signed a token of any kind. None: it has no id."""
        if kid is not None and self.has(kid_name(issuer, kid)):
            raise TokenRevoked("the key that signed the token is revoked", actual=Word("kid"))

    def require_session(self, session: PresentedSession) -> None:
        """Raise `SessionEnded`, or `TenantNotAllowed`, unless the session may still be used. Our own clock counts."""
        tenant = tenant_name(session.tenant_id)
        self._require_tenant(tenant, session.issuer)
        if self.has(session_name(session.tenant_id, session.session_id)):
            raise SessionEnded("the session is revoked", actual=Word("session"))
        for kind, name in (
            ("tenant", tenant),
            ("tenant", EVERY_TENANT),
            ("user", user_name(session.tenant_id, session.issuer, session.user_id)),
            ("user", subject_name(session.issuer, session.user_id)),
        ):
            if session.auth_time <= self.until.get(name, -1):
                raise SessionEnded("the session began before a revocation", actual=Word(kind))

    def has(self, name: bytes) -> bool:
        """Tell whether this token, session or key id is revoked."""
        return name in self.exact or (self.additions is not None and name in self.additions.exact)

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

    @property
    def base(self) -> int:
        """The epoch that `exact` shows."""
        return self.epoch if self.additions is None else self.additions.base

    def head(self, read_at: int) -> Head:
        """Return its head. `read_at`: the epoch milliseconds at which PostgreSQL was read."""
        base = None if self.additions is None else self.additions.base
        return Head(self.epoch, read_at, self.closed, base, self.rules)

    def with_additions(self, additions: Additions | None) -> Snapshot | None:
        """Return the snapshot of a later epoch, or None without additions to this one's base."""
        if additions is None or additions.base != self.base or additions.epoch < self.epoch:
            return None
        until = {**self.until, **additions.until} if additions.until else self.until
        return self.__replace__(epoch=additions.epoch, until=until, additions=additions)

    def whole(self) -> Snapshot:
        """Return the same without additions."""
        if self.additions is None:
            return self
        return self.__replace__(exact=self.exact | self.additions.exact, additions=None)

    def to_json(self) -> bytes:
        """Return the form of a whole snapshot."""
        values = {
            "form": _FORM,
            "epoch": self.epoch,
            "registered": None if self.registered is None else packed(self.registered),
            "exact": packed(self.exact),
            "until": packed(self.until),
            "times": [*self.until.values()],
            "suspended": packed(self.suspended),
            "issuers": [[packed([tenant]), packed(names)] for tenant, names in self.issuers.items()],
            "rules": self.rules,
        }
        return json.dumps(values, separators=(",", ":")).encode()

    @staticmethod
    def prefix(head: Head) -> bytes:
        """Return the bytes with which the body of a list with this head begins, and no other body does."""
        return b'{"form":%d,"epoch":%d,"registered":%b' % (_FORM, head.body_epoch, b'"' if head.closed else b"null")

    @classmethod
    def from_json(cls, raw: bytes | None) -> Self | None:
        """Read what `to_json` wrote; None for a missing value and for anything else."""
        values = json_object(raw)
        if values is None or values.get("form") != _FORM or not is_count(values.get("epoch")):
            return None
        try:
            registered = values["registered"]
            if not is_count(values["rules"]):
                return None
            return cls(
                values["epoch"],
                frozenset(unpacked(values["exact"])),
                times_by_name(values),
                frozenset(unpacked(values["suspended"])),
                None if registered is None else frozenset(unpacked(registered)),
                {unpacked(tenant)[0]: frozenset(unpacked(names)) for tenant, names in values["issuers"]},
                values["rules"],
            )
        except (KeyError, IndexError, TypeError, ValueError):
            return None
