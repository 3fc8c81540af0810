"""What the verifier asks of whoever holds the keys. For the type checker alone: a protocol is dear to a cold start."""

from __future__ import annotations

from typing import Protocol

from tenantgate.tokens.keys import Check


class IssuerKeys(Protocol):
    """One issuer's keys as the verifier sees them.

    `generation` changes when a key disappeared: what was verified before no longer counts. `tend_at` (epoch seconds) is
    when `find` wants to be called again, even by a caller who remembers the answer.
    """

    @property
    def generation(self) -> int: ...
    @property
    def tend_at(self) -> float: ...
    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Check:
        """Raises `UnknownKey`, `ProviderUnreachable`, and `KeyFetchNeeded` without `fetch`."""
        ...


class KeySource(Protocol):
    def of(self, issuer: str) -> IssuerKeys: ...
