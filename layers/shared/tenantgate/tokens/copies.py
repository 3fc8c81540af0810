"""Copies of a provider's document that other processes have fetched. `provider_copies/` has them in Valkey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.records import Record


class Copy(Record):
    """A document, and the time of its fetch from the provider (epoch seconds), from which its age counts."""

    __slots__ = ()

    document: Mapping[str, object]
    fetched_at: float


class Copies(Protocol):
    """The copies of one document. Both methods block for a second at most, and raise nothing."""

    def read(self) -> Copy | None:
        """Return the newest copy that a process of this deployment wrote, if it can be read in time."""
        ...

    def write(self, document: Mapping[str, object], fetched_at: float, *, seconds: float) -> None:
        """Write a copy for other processes, unless a newer one is there, within `seconds`."""
        ...


type KeySetCopies = Callable[[IssuerPolicy], Copies]
"""Return the copies of an issuer's key set."""
