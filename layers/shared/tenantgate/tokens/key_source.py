"""The protocol between verifier and key cache. Only for the type checker: its import would slow a cold start."""

from __future__ import annotations

from typing import Protocol

from tenantgate.tokens.keys import Found, HeldKeys


class IssuerKeys(Protocol):
    """One issuer's keys. `held` has those that were found before."""

    @property
    def held(self) -> HeldKeys: ...
    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Found:
        """Return a key; raises `UnknownKey`, `ProviderUnreachable`, and `KeyFetchNeeded` without `fetch`."""
        ...


class KeySource(Protocol):
    """The keys of every trusted issuer."""

    def of(self, issuer: str) -> IssuerKeys: ...
