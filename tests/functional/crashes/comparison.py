"""Compare a ledger with the rows of PostgreSQL: no write that was acknowledged may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tenantgate.crypto.opaque import OpaqueSecret
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.revoked.names import session_name, token_name
from tenantgate.tokens.jws import read_jws
from tests.fixtures.crashes.ledger import Visit
from tests.fixtures.databases.postgres import execute

# A tenant, and the digest of a secret.
type Key = tuple[str, bytes]


class Rows(NamedTuple):
    """The content of the tables. `current`, `earlier`: the session's id by its secret."""

    current: Mapping[Key, Any]
    earlier: Mapping[Key, Any]
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
    if any(_name(token) not in found.revoked for token in visit.revoked):
        yield "a revoked token isn't recorded"
    yield from _lost_end(visit, keys, found) if visit.ended or visit.gone else _lost_start(visit, keys, found)


def _lost_end(visit: Visit, keys: Sequence[Key], found: Rows) -> Iterator[str]:
    """Yield what is wrong with a session that has ended."""
    if any(key in found.current or key in found.earlier for key in keys):
        yield "a session that has ended is there again"
    if visit.session is not None and session_name(keys[0][0], visit.session) not in found.revoked:
        yield "the end of a session isn't recorded"
    if any(_name(token) not in found.revoked for token in visit.tokens):
        yield "a token of an ended session isn't recorded"


def _lost_start(visit: Visit, keys: Sequence[Key], found: Rows) -> Iterator[str]:
    """Yield what is wrong with a session that is live, or may have ended."""
    *replaced, last = keys
    session = found.current.get(last)
    if session is None and visit.rotates:
        # The rotation was stored, and its response was lost.
        session = found.earlier.get(last)
    if session is None and not visit.ends:
        yield f"a session is missing, or has an earlier secret, after {len(replaced)} rotations"
    if session is not None and any(found.earlier.get(key) != session for key in replaced):
        yield "a replaced secret isn't recorded"


def _parsed(secret: str) -> OpaqueSecret:
    parsed = SESSION_SECRETS.parse(secret)
    assert parsed is not None
    return parsed


def _name(token: str) -> bytes:
    claims = read_jws(token, {})[1]
    return token_name(str(claims["iss"]), str(claims["jti"]), token)
