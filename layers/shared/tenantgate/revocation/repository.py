"""Revocations in PostgreSQL. Their tables are shared by all tenants and contain no personal data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from tenantgate.audit.models import StoredEvent
from tenantgate.audit.repository import record
from tenantgate.database.moments import moment
from tenantgate.database.unit import Database, Row, Unit
from tenantgate.errors.base import InternalError
from tenantgate.revoked.additions import Additions
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import issuer_name, tenant_name
from tenantgate.revoked.snapshot import Snapshot

# A snapshot beyond this refuses all of a user's tokens instead of single ones, and then all of a tenant's.
MOST_NAMES = 100_000
# The row's lock puts changes in an order: their commits have the order of their epochs.
_COUNT_CHANGE = "UPDATE revocation_epoch SET epoch = epoch + 1"
# The epoch of a row is counted when its transaction commits, by a trigger: the epoch's row, for which every change
# waits, is locked only for the commit, not for round trips of a client before it.
_RECORD = (
    "INSERT INTO revocations AS r (kind, name, user_name, tenant_name, expires_at, revoked_at, epoch)"
    " SELECT kind, name, user_name, tenant_name, expires_at, $6, 0"
    " FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::timestamptz[])"
    " AS given (kind, name, user_name, tenant_name, expires_at)"
    " ON CONFLICT (name) DO UPDATE SET revoked_at = greatest(r.revoked_at, excluded.revoked_at),"
    " expires_at = CASE WHEN r.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL"
    " ELSE greatest(r.expires_at, excluded.expires_at) END, epoch = 0"
)
# `rules`: changes that did more than add revocations. A process that doesn't know `additions` yet only adds to it.
_ADDITIONS = (
    "SELECT epoch, epoch - additions AS rules,"
    " array(SELECT name FROM revocations WHERE epoch > $1 AND kind IN ('token', 'session', 'kid') LIMIT $2) AS names,"
    " (SELECT json_agg(named) FROM (SELECT json_build_array(encode(name, 'hex'),"
    " floor(extract(epoch FROM revoked_at))::bigint) AS named FROM revocations"
    " WHERE epoch > $1 AND kind IN ('user', 'client', 'tenant') LIMIT $2) AS u) AS until FROM revocation_epoch"
)
_LIFT = "DELETE FROM revocations WHERE name = $1 RETURNING id"
_PRUNE = (
    "DELETE FROM revocations WHERE id IN (SELECT id FROM revocations WHERE expires_at <= $1"
    " ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id"
)
_NAMED = "SELECT name, kind, revoked_at, expires_at FROM revocations WHERE name = ANY($1)"
_UNEXPIRED = "(expires_at > $1 OR expires_at IS NULL)"
# Each statement sees one moment, and says of which epoch it is.
_RULES = (
    f"SELECT (SELECT epoch FROM revocation_epoch) AS epoch,"  # noqa: S608  (constants, here and below)
    " (SELECT epoch - additions FROM revocation_epoch) AS rules,"
    " (SELECT json_agg(json_build_array(encode(name, 'hex'), floor(extract(epoch FROM revoked_at))::bigint))"
    f" FROM revocations WHERE kind IN ('user', 'client', 'tenant') AND {_UNEXPIRED}) AS until,"
    " (SELECT array_agg(tenant_id) FROM tenants WHERE status = 'suspended') AS suspended,"
    " (SELECT array_agg(tenant_id) FROM tenants WHERE $2) AS registered,"
    " (SELECT json_object_agg(tenant_id, allowed_issuers) FROM tenants WHERE allowed_issuers IS NOT NULL) AS issuers"
)
_EXACT = (
    "SELECT (SELECT epoch FROM revocation_epoch) AS epoch, array(SELECT name FROM revocations"  # noqa: S608
    f" WHERE kind IN ('token', 'session', 'kid') AND {_UNEXPIRED} LIMIT $2) AS names"
)


def _with_owners(owner: str) -> str:
    """Return the statement that replaces tokens and sessions by their owners, whose names are in this column."""
    return (
        "SELECT (SELECT epoch FROM revocation_epoch) AS epoch, array(SELECT name FROM revocations"  # noqa: S608
        f" WHERE (kind = 'kid' OR kind IN ('token', 'session') AND {owner} IS NULL) AND {_UNEXPIRED} LIMIT $2)"
        " AS names,"
        f" (SELECT json_agg(named) FROM (SELECT json_build_array(encode({owner}, 'hex'),"
        " floor(extract(epoch FROM max(revoked_at)))::bigint) AS named"
        " FROM revocations WHERE kind IN ('token', 'session')"
        f" AND {owner} IS NOT NULL AND {_UNEXPIRED} GROUP BY {owner} LIMIT $2) AS o) AS owners"
    )


_BY_USER = _with_owners("user_name")
_BY_TENANT = _with_owners("tenant_name")
_ATTEMPTS = 5


async def record_in(unit: Unit, revocations: Iterable[Revocation], *, at: float) -> None:
    """Record revocations in the caller's own unit of work, inside a tenant or outside of all. `at`: epoch seconds."""
    # A statement may not change a row twice. In an order, so that two units with the same names can't block each other.
    given = [one for _, one in sorted({revocation.name: revocation for revocation in revocations}.items())]
    await unit.execute(
        _RECORD,
        [one.kind for one in given],
        [one.name for one in given],
        [one.user_name for one in given],
        [one.tenant_name for one in given],
        [None if one.expires_at is None else moment(one.expires_at) for one in given],
        moment(at),
    )


async def count_change(unit: Unit) -> None:
    """Count a change that is more than a further revocation, for example of a tenant, as the unit's last statement.

    Until the unit ends, every other change waits for it.
    """
    await unit.execute(_COUNT_CHANGE)


class RevocationRepository:
    """The store of revocations on PostgreSQL. Every method raises `DatabaseUnreachable`."""

    def __init__(self, database: Database, *, closed: bool) -> None:
        """Take the database. `closed`: a snapshot names the registered tenants, and no other may take part."""
        self._database = database
        self._closed = closed

    async def named(self, names: Sequence[bytes]) -> Sequence[Row]:
        """Return the revocations with these names."""
        async with self._database.untenanted() as unit:
            return await unit.fetch_all(_NAMED, [*names])

    async def record(self, revocations: Iterable[Revocation], *, at: float, event: StoredEvent) -> None:
        """Record revocations and their audit event, which says in whose log it is. `at`: epoch seconds."""
        async with self._database.tenant(event.tenant_id) as unit:
            await record_in(unit, revocations, at=at)
            await record(unit, event)

    async def lift(self, name: bytes, *, event: StoredEvent) -> bool:
        """Remove a revocation and record the audit event; return False without one."""
        async with self._database.tenant(event.tenant_id) as unit:
            if await unit.fetch_one(_LIFT, name) is None:
                return False
            await record(unit, event)
            await count_change(unit)
            return True

    async def additions(self, *, since: int, rules: int, most: int) -> Additions | None:
        """Return what was revoked in the epochs after this one.

        None if there are more than `most`, or if another number of changes than `rules` did more than revoke.
        """
        async with self._database.untenanted() as unit:
            row = _required(await unit.fetch_one(_ADDITIONS, since, most + 1))
        until = dict(_pairs(row["until"]))
        if row["rules"] != rules or len(row["names"]) + len(until) > most:
            return None
        return Additions(since, int(row["epoch"]), frozenset(row["names"]), until)

    async def snapshot(self, *, now: float, most: int = MOST_NAMES) -> Snapshot:
        """Return all that is revoked. `now`: epoch seconds. Above `most` names it refuses more, never less."""
        for _ in range(_ATTEMPTS):
            async with self._database.untenanted() as unit:
                rules = _required(await unit.fetch_one(_RULES, moment(now), self._closed))
                exact = _required(await unit.fetch_one(_EXACT, moment(now), most + 1))
                if _size(exact) > most:
                    exact = _required(await unit.fetch_one(_BY_USER, moment(now), most + 1))
                if _size(exact) > most:
                    exact = _required(await unit.fetch_one(_BY_TENANT, moment(now), most + 1))
            if rules["epoch"] == exact["epoch"]:
                return _snapshot(rules, exact, closed=self._closed)
        # Each statement reads later than the one before, so that the older epoch is a moment that was complete.
        return _snapshot(rules, exact, closed=self._closed, epoch=rules["epoch"])

    async def prune(self, *, now: float, limit: int) -> int:
        """Remove up to `limit` revocations that have expired, and return their number."""
        async with self._database.untenanted() as unit:
            return len(await unit.fetch_all(_PRUNE, moment(now), limit))


def _required(row: Row | None) -> Row:
    if row is None:
        raise InternalError("the table revocation_epoch has no row")
    return row


def _size(exact: Row) -> int:
    return len(exact["names"]) + len(_pairs(exact.get("owners")))


def _snapshot(rules: Row, exact: Row, *, closed: bool, epoch: int | None = None) -> Snapshot:
    until = dict(_pairs(rules["until"]))
    for name, at in _pairs(exact.get("owners")):
        until[name] = max(at, until.get(name, 0))
    issuers: Mapping[str, Sequence[str]] = json.loads(rules["issuers"] or "{}")
    return Snapshot(
        int(exact["epoch"] if epoch is None else epoch),
        frozenset(exact["names"]),
        until,
        frozenset(map(tenant_name, rules["suspended"] or ())),
        frozenset(map(tenant_name, rules["registered"] or ())) if closed else None,
        {tenant_name(tenant): frozenset(map(issuer_name, names)) for tenant, names in issuers.items()},
        int(rules["rules"]),
    )


def _pairs(raw: str | None) -> list[tuple[bytes, int]]:
    return [(bytes.fromhex(name), at) for name, at in json.loads(raw or "[]")]
