"""The time until a revocation takes effect behind each authorizer of a template."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tenantgate.revoked.holder import BOUND_SECONDS, CLOCK_DIFFERENCE_SECONDS
from tenantgate_cli.checks.rules_template import Guard

BOUND = int(BOUND_SECONDS + CLOCK_DIFFERENCE_SECONDS)


class RevocationDelay(NamedTuple):
    """The most seconds until a revocation takes effect; None if only a deployment knows the authorizer's TTL.

    `connections`: open ones live until they close.
    """

    api: str
    authorizer: str
    seconds: int | None
    connections: bool

    def __str__(self) -> str:
        if self.seconds is None:
            length = f"{BOUND} s and its TTL, which is unknown here"
        else:
            length = f"{self.seconds} s ({BOUND} s, and its TTL of {self.seconds - BOUND} s)"
        only = ", for new connections: open ones live until they close" if self.connections else ""
        return f"{self.api}, authorizer {self.authorizer}: a revocation takes effect within {length}{only}"


def revocation_delays(guards: Iterable[Guard]) -> list[RevocationDelay]:
    """Return the delay behind each authorizer, whose function has `REDIS_URL`."""
    return [
        RevocationDelay(guard.api, guard.name, None if guard.ttl is None else BOUND + guard.ttl, guard.websocket)
        for guard in guards
    ]
