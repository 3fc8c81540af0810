"""What the verifier asks of the holder of the keys. For the type checker: a protocol costs a cold start."""

from __future__ import annotations

from typing import Protocol

from tenantgate.tokens.keys import Found, HeldKeys


class IssuerKeys(Protocol):
    """One issuer's keys as the verifier sees them."""

    @property
    def held(self) -> HeldKeys: ...
    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Found:
        """Raises `UnknownKey`, `ProviderUnreachable`, and `KeyFetchNeeded` without `fetch`."""
        ...


class KeySource(Protocol):
    def of(self, issuer: str) -> IssuerKeys: ...
