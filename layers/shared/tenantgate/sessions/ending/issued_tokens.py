"""The access tokens that a session's clients got, as its row holds them: so that its end can revoke them.

An element is the token's name (`revoked/names.py`) and 4 bytes, the big-endian epoch second of its expiry. At most
`MOST_TOKENS` are held. Older ones are replaced by one element without a name, with the latest expiry among them: the
session's end then revokes all of its user's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenantgate.identity.principal import Principal
from tenantgate.revoked.names import NAME_BYTES, token_name

MOST_TOKENS = 256
_UNNAMED = bytes(NAME_BYTES)
_LATEST = 2**32 - 1


class IssuedToken(NamedTuple):
    """A token, or those that are no longer held one by one. `expires_at`: in epoch seconds, without leeway."""

    name: bytes
    expires_at: int

    @property
    def is_named(self) -> bool:
        return self.name != _UNNAMED

    def packed(self) -> bytes:
        return self.name + self.expires_at.to_bytes(4)

    @classmethod
    def unpacked(cls, element: bytes) -> IssuedToken:
        return cls(element[:NAME_BYTES], int.from_bytes(element[NAME_BYTES:]))


def unexpired(issued: Sequence[bytes], *, now: float, leeway: int) -> Sequence[IssuedToken]:
    """Return the tokens that someone may still accept. `now`: epoch seconds. `leeway`: seconds after the expiry."""
    tokens = (IssuedToken.unpacked(element) for element in issued)
    return [token for token in tokens if token.expires_at + leeway > now]


def with_token(
    issued: Sequence[bytes], principal: Principal, access_token: str, *, now: float, leeway: int
) -> tuple[bytes, ...]:
    """Return the elements with one more token, that of the principal, and without those that have expired."""
    new = IssuedToken(name_of(principal, access_token), max(0, min(principal.expires_at, _LATEST)))
    held = [token for token in unexpired(issued, now=now, leeway=leeway) if token.name != new.name]
    named = [*(token for token in held if token.is_named), new]
    dropped = [*(token for token in held if not token.is_named), *named[:-MOST_TOKENS]]
    kept = named[-MOST_TOKENS:]
    if dropped:
        kept.insert(0, IssuedToken(_UNNAMED, max(token.expires_at for token in dropped)))
    return tuple(token.packed() for token in kept)


def name_of(principal: Principal, access_token: str) -> bytes:
    """Return the name of a verified access token."""
    # The verifier accepted no other `jti` than a text. An empty one names no token.
    token_id = principal.claims.get("jti")
    return token_name(principal.issuer, token_id if isinstance(token_id, str) and token_id else None, access_token)
