"""One worker process: it runs its share of the callers of each race, each with a separate service on PostgreSQL.

`python -m races.worker`, started by the coordinator with a `Job` as JSON in the variable `RACES_JOB`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from races.channel import Channel, Message
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.pool import PooledDatabase, PoolLimits
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import TenantgateError
from tenantgate.identity.principal import Principal
from tenantgate.revocation.repository import record_in
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import SessionPolicy, SessionTokens, StoredSession
from tenantgate.sessions.refreshing.lease import Limits
from tenantgate.sessions.refreshing.models import Redeemed, Verified
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.refreshing.service import RefreshService
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate.shared_calls import SharedCalls

VARIABLE = "RACES_JOB"
_JITTER_SECONDS = 0.005


@dataclass(frozen=True)
class Job:
    """A worker's part of a run. `port`: the coordinator's. `lease`: seconds, for the proof that faults are detected."""

    port: int
    database_url: str
    sealing_key: str
    callers: int
    lease: float
    policy: SessionPolicy


class RemoteProvider:
    """The provider's side of a refresh, which the coordinator plays. Refresh tokens are `<race>:<number>`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[str | None]] = {}

    async def redeem(self, session: StoredSession, tokens: SessionTokens) -> Redeemed[None]:
        await asyncio.sleep(random.uniform(0, _JITTER_SECONDS))  # noqa: S311  (a delay)
        number = next(self._numbers)
        response = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._channel.send(redeem=tokens.refresh_token, number=number)
        if (new := await response) is None:
            raise SessionEnded("refused")
        await asyncio.sleep(random.uniform(0, _JITTER_SECONDS))  # noqa: S311
        return Redeemed(SessionTokens(f"access-{new}", tokens.id_token, new), None)

    def redeemed(self, message: Message) -> None:
        self._waiting.pop(message["number"]).set_result(message["new"])

    async def verify(self, session: StoredSession, tokens: SessionTokens, redeemed: Redeemed[None]) -> Verified:
        user = session.user
        principal = Principal(user.user_id, user.tenant_id, user.issuer, frozenset(), session.expires_at)
        return Verified(principal, expires_at=session.expires_at)

    async def revoke(self, refresh_token: str) -> None:
        self._channel.send(revoked=refresh_token)


def services(job: Job, database: PooledDatabase, provider: RemoteProvider, number: int) -> Sequence[RefreshService]:
    """Return this many services that share only the database, as those of different processes do."""
    sealer = Sealer([job.sealing_key])

    async def current() -> Sealer:
        return sealer

    endings = Endings(record_in, job.policy)
    sessions = SessionService(SessionRepository(database, endings), current, policy=job.policy)
    limits, store = Limits(lease=job.lease), RefreshRepository(database, endings)
    return [RefreshService(store, sessions, provider, shared=SharedCalls(), limits=limits) for _ in range(number)]


async def work(job: Job) -> None:
    """Run races until the coordinator closes the connection."""
    channel = Channel(*await asyncio.open_connection("127.0.0.1", job.port))
    database = PooledDatabase(job.database_url, pool=PoolLimits(size=8, overflow=8, wait_seconds=30))
    provider = RemoteProvider(channel)
    callers = services(job, database, provider, job.callers)
    channel.send(ready=True)
    running: set[asyncio.Task[None]] = set()
    while (message := await channel.receive()) is not None:
        if "number" in message:
            provider.redeemed(message)
        else:
            task = asyncio.create_task(_race(channel, callers, message))
            running.add(task)
            task.add_done_callback(running.discard)
    await database.dispose()


async def _race(channel: Channel, callers: Sequence[RefreshService], message: Message) -> None:
    results = await asyncio.gather(*(_call(caller, message["secret"]) for caller in callers))
    channel.send(race=message["race"], results=results)


async def _call(caller: RefreshService, secret: str) -> str:
    """Return the token and the cookie that this caller got, or its error."""
    await asyncio.sleep(random.uniform(0, _JITTER_SECONDS))  # noqa: S311
    try:
        refreshed = (await caller.refresh(secret)).require()
    except TenantgateError as error:
        return f"{error.error.code} {error.reason}"
    return f"{refreshed.access_token} {refreshed.secret}"


if __name__ == "__main__":
    values = json.loads(os.environ[VARIABLE])
    asyncio.run(work(Job(**values | {"policy": SessionPolicy(**values["policy"])})))
