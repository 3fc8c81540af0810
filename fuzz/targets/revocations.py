"""The list of revocations in Valkey: a list is judged by only if it is whole, recent and its head's."""

from __future__ import annotations

from contextlib import suppress

from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.world import NOW, now
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.revocation import RevocationUnknown, TokenRevoked
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.revoked.additions import Additions
from tenantgate.revoked.holder import BOUND_SECONDS, CLOCK_DIFFERENCE_SECONDS, Holder
from tenantgate.revoked.names import (
    NAME_BYTES,
    client_name,
    issuer_name,
    kid_name,
    session_name,
    tenant_name,
    token_name,
    user_name,
)
from tenantgate.revoked.reader import RevocationReader
from tenantgate.revoked.snapshot import Head, PresentedSession, PresentedToken, Snapshot

_TENANT, _ISSUER, _USER = "org-1", "https://issuer.example.test/", "user-1"
_TOKEN = PresentedToken(_TENANT, _ISSUER, _USER, "token-1", "a.b.c", ("app",), "kid-1", NOW - 60)
_SESSION = PresentedSession(_TENANT, _ISSUER, _USER, "session-1", NOW - 60)


class _Values:
    def __init__(self, data: bytes) -> None:
        head, _, rest = data.partition(b"\n")
        body, _, additions = rest.partition(b"\n")
        self.head, self.body, self.additions = head or None, body or None, additions or None

    def get_many(self, *keys: str, longest: int, seconds: float | None = None) -> list[bytes | None]:
        if len(keys) != 3 or seconds is None or longest < len(self.body or b""):
            raise Finding("the first read isn't one of all values")
        return [self.head, self.body, self.additions]


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        values = _Values(data)
        reader = RevocationReader(values, Holder(clock=now, monotonic=now))
        try:
            current = reader.current()
        except RevocationUnknown:
            return
        head = Head.from_json(values.head or b"")
        if head is None or (head.epoch, head.closed) != (current.epoch, current.closed):
            raise Finding("a list without its head")
        if not -CLOCK_DIFFERENCE_SECONDS <= NOW - head.read_at / 1000 < BOUND_SECONDS:
            raise Finding("a list that is stale")
        _check(current)

    return try_bytes


def _check(current: Snapshot) -> None:
    added = frozenset() if current.additions is None else current.additions.exact
    sets = (current.exact, added, current.until.keys(), current.suspended, current.registered or ())
    names = [name for each in (*sets, *current.issuers.values()) for name in each]
    if any(len(name) != NAME_BYTES for name in (*names, *current.issuers)):
        raise Finding("a name of another length")
    if Snapshot.from_json(current.whole().to_json()) != current.whole():
        raise Finding("a list that changes when it is written again")
    with suppress(TokenRevoked, TenantNotAllowed):
        current.require_token(_TOKEN, leeway=60)
        if token_name(_ISSUER, "token-1", "") in current.exact | added or tenant_name(_TENANT) in current.suspended:
            raise Finding("a revoked token passes")
    with suppress(SessionEnded, TenantNotAllowed):
        current.require_session(_SESSION)
        if session_name(_TENANT, "session-1") in current.exact | added or tenant_name(_TENANT) in current.suspended:
            raise Finding("a revoked session passes")


def _seeds() -> list[bytes]:
    tenant, user = tenant_name(_TENANT), user_name(_TENANT, _ISSUER, _USER)
    exact = (token_name(_ISSUER, "token-1", ""), session_name(_TENANT, "session-1"), kid_name(_ISSUER, "kid-1"))
    nothing = Snapshot(1, frozenset(), {}, frozenset(), None, {})
    lists = [
        nothing,
        Snapshot(2, frozenset(exact), {}, frozenset(), None, {}),
        Snapshot(3, frozenset(), {user: NOW, client_name(_ISSUER, "app"): NOW - 60, tenant: 0}, frozenset(), None, {}),
        Snapshot(4, frozenset(), {}, frozenset({tenant}), frozenset({tenant}), {tenant: frozenset({issuer_name("i")})}),
        Snapshot(5, frozenset(), {}, frozenset(), frozenset(), {tenant: frozenset()}),
    ]
    fresh = [each.head(NOW * 1000 - 500).to_json() + b"\n" + each.to_json() for each in lists]
    others = [Head(1, NOW * 1000 + change).to_json() + b"\n" + nothing.to_json() for change in (-4000, 1001, 1000)]
    additions = Additions(1, 2, frozenset(exact), {user: NOW})
    later = b"\n".join((Head(2, NOW * 1000, base=1).to_json(), nothing.to_json(), additions.to_json()))
    others += [later, Head(2, NOW * 1000).to_json() + b"\n" + nothing.to_json()]
    return [*fresh, *others, b"\n", b"{}\n{}", b"{}\n{}\n{}"]


_WORDS = (
    *('"epoch":', '"read_at":', '"closed":true', '"form":1', '"exact":', '"until":', '"times":', '"registered":'),
    *('"base":', '"rules":'),
    *("null", "1e400", "=="),
)
TARGET = Target("revocations", _prepare, _seeds, _WORDS)
