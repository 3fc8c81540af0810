"""The counters of a request, and the usage of their limits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tenantgate.settings.rate_limits import Limit


class Counter(NamedTuple):
    """One counter. `name`: its limit's, for headers and errors. `key`: in Valkey, and in this process's memory."""

    name: str
    key: str
    limit: Limit


class Usage(NamedTuple):
    """A counter after a request. `reset`: seconds until its window ends, 1 or more."""

    counter: Counter
    remaining: int
    reset: int
    exceeded: bool


class Counters(Protocol):
    """Counts a request in all counters, or, if one of them is used up, in none."""

    async def count(self, counters: Sequence[Counter]) -> list[Usage]: ...


def counter(name: str, limit: Limit, partition: str, *parts: str) -> Counter:
    """Return the counter of these `parts`, such as an issuer and a user.

    Counters of one request have the same `partition`, so that a cluster stores them together. A caller chooses some of
    the parts: the digest keeps a key short, without personal data, and distinct for distinct parts.
    """
    # A changed limit begins a new window.
    key = f"tenantgate:limit:{{{_digest(partition)}}}:{name}:{_digest(*parts)}:{limit.amount}/{limit.seconds}"
    return Counter(name, key, limit)


def usage(counter: Counter, count: int, seconds: float, *, refused: bool) -> Usage:
    """Return the usage after `count` requests, `seconds` before the end of the window."""
    left = counter.limit.amount - count
    # Rounded up: a client that waits so long isn't too early.
    reset = min(max(1, -int(-seconds // 1)), counter.limit.seconds)
    return Usage(counter, max(0, left), reset, exceeded=refused and left <= 0)


def _digest(*parts: str) -> str:
    framed = b"".join(len(encoded).to_bytes(4) + encoded for encoded in (part.encode() for part in parts))
    return hashlib.sha256(framed).hexdigest()[:32]
