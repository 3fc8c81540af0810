"""Compare a ledger with the rows of PostgreSQL: no write that was acknowledged may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tenantgate.crypto.opaque import OpaqueSecret
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.revoked.names import session_name, token_name
from tenantgate.tokens.jws import read_jws
from tests.fixtures.crashes.ledger import Visit
from tests.fixtures.databases.postgres import execute


class Rows(NamedTuple):
    """What PostgreSQL has. `current`, `earlier`: the session's id by tenant and the digest of a secret."""

    current: Mapping[tuple[str, bytes], Any]
    earlier: Mapping[tuple[str, bytes], Any]
    revoked: frozenset[bytes]


class Lost(NamedTuple):
    """An acknowledged write that the rows don't have."""

    visit: int
    text: str


def rows(admin_url: str) -> Rows:
    """Read the rows of all tenants."""
    current, earlier, revoked = execute(
        admin_url,
        "SELECT tenant_id, secret_hash, id FROM sessions",
        "SELECT tenant_id, secret_hash, session_id AS id FROM session_secrets",
        "SELECT name FROM revocations",
    )
    return Rows(
        {(row["tenant_id"], row["secret_hash"]): row["id"] for row in current},
        {(row["tenant_id"], row["secret_hash"]): row["id"] for row in earlier},
        frozenset(row["name"] for row in revoked),
    )


def compare(visits: Mapping[int, Visit], found: Rows) -> list[Lost]:
    """Return what is lost, and the sessions that came back."""
    return [Lost(number, text) for number, visit in visits.items() for text in _lost(visit, found)]


def _lost(visit: Visit, found: Rows) -> Iterator[str]:
    if not visit.secrets:
        return
    # A repeated refresh returns the last secret again.
    keys = list(dict.fromkeys((secret.tenant_id, secret.digest) for secret in map(_parsed, visit.secrets)))
    tenant_id, _ = keys[0]
    for token in visit.revoked:
        if _name(token) not in found.revoked:
            yield "a revoked token isn't recorded"
    if visit.ended or visit.gone:
        if any(key in found.current or key in found.earlier for key in keys):
            yield "a session that has ended is there again"
        if visit.session is not None and session_name(tenant_id, visit.session) not in found.revoked:
            yield "the end of a session isn't recorded"
        yield from ("a token of an ended session isn't recorded" for t in visit.tokens if _name(t) not in found.revoked)
        return
    *replaced, last = keys
    session = found.current.get(last)
    if session is None and visit.rotates:
        # The rotation was stored, and its response was lost.
        session = found.earlier.get(last)
    if session is None:
        if not visit.ends:
            yield f"a session is missing, or has an earlier secret: {len(replaced)} rotations"
        return
    if any(found.earlier.get(key) != session for key in replaced):
        yield "a replaced secret isn't recorded"


def _parsed(secret: str) -> OpaqueSecret:
    parsed = SESSION_SECRETS.parse(secret)
    assert parsed is not None
    return parsed


def _name(token: str) -> bytes:
    claims = read_jws(token, {})[1]
    return token_name(str(claims["iss"]), str(claims["jti"]), token)
