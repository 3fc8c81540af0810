"""The end of sessions: their audit events, and the revocation of them and of each unexpired access token they gave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from tenantgate.audit.repository import record
from tenantgate.database.unit import Unit
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import session_name, tenant_name, user_name
from tenantgate.sessions.ending.issued_tokens import unexpired
from tenantgate.sessions.models import End, SessionPolicy, StoredSession
from tenantgate.sessions.storing import acts

# Clocks may differ by this much.
_MARGIN_SECONDS = 60


class Recorder(Protocol):
    """Records revocations in the caller's unit of work."""

    async def __call__(self, unit: Unit, revocations: Iterable[Revocation], *, at: float) -> None: ...


class Endings:
    """Records what ends with sessions. `clock` returns epoch seconds."""

    def __init__(self, record: Recorder, policy: SessionPolicy, *, clock: Callable[[], float] = time.time) -> None:
        self._record = record
        self._policy = policy
        self._clock = clock

    async def record(self, unit: Unit, ended: Sequence[StoredSession], end: End) -> None:
        """Record the end of sessions in the transaction that removes them."""
        if ended:
            now = self._clock()
            reused = [acts.secret_reused(session) for session in ended] if end.reason == "secret_reused" else []
            await record(unit, *reused, *(acts.ended(session, end) for session in ended))
            given = [one for session in ended for one in revocations_of(session, self._policy, now=now)]
            await self._record(unit, given, at=now)


def revocations_of(session: StoredSession, policy: SessionPolicy, *, now: float) -> Sequence[Revocation]:
    """Return what to refuse when a session ends at `now`."""
    tokens = unexpired(session.issued_tokens, now=now, leeway=policy.leeway_seconds)
    user, tenant = user_name(*session.user), tenant_name(session.tenant_id)
    ends = [token.expires_at + policy.leeway_seconds for token in tokens]
    # An entry in Valkey may outlive the session's row.
    until = max([now + policy.cache_seconds + _MARGIN_SECONDS, *ends])
    revocations = [Revocation("session", session_name(session.tenant_id, str(session.id)), until, user, tenant)]
    if all(token.is_named for token in tokens):
        revocations += [
            Revocation("token", token.name, end, user, tenant) for token, end in zip(tokens, ends, strict=True)
        ]
    else:
        revocations.append(Revocation("user", user, max(ends)))
    return revocations
