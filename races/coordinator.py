"""A run of races: starts the sessions, plays the provider, and judges the results of every race."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from races.channel import Channel
from races.worker import VARIABLE, Job
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.pool import PooledDatabase
from tenantgate.errors.access import SessionEnded
from tenantgate.identity.principal import Principal
from tenantgate.revocation.repository import record_in
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.errors import SecretReused
from tenantgate.sessions.models import SessionPolicy, SessionTokens, SignIn
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService

ROOT = Path(__file__).parents[1]
ISSUER = "https://issuer.example"
_TENANTS = 10
_AT_ONCE = 4


@dataclass
class Run:
    """The result of a run. `findings`: one line for each race that broke a property."""

    races: int
    callers: int
    processes: int
    seconds: float = 0.0
    redemptions: int = 0
    findings: list[str] = field(default_factory=list)


class Provider:
    """Redeems each refresh token once, and counts."""

    def __init__(self) -> None:
        self.redemptions: Counter[int] = Counter()
        self.revocations: Counter[int] = Counter()
        self._current: Counter[int] = Counter()

    def redeem(self, token: str) -> str | None:
        race, number = map(int, token.split(":"))
        self.redemptions[race] += 1
        if self._current[race] != number:
            return None
        self._current[race] += 1
        return f"{race}:{number + 1}"


class Coordinator:
    """Holds the connections of the workers, and their reports."""

    def __init__(self, processes: int) -> None:
        self.provider = Provider()
        self.channels: list[Channel] = []
        self.all_ready = asyncio.Event()
        self._processes = processes
        self._results: dict[int, list[str]] = {}
        self._done: dict[int, asyncio.Future[Sequence[str]]] = {}
        self._reports: Counter[int] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to one worker until it leaves."""
        channel = Channel(reader, writer)
        while (message := await channel.receive()) is not None:
            if "redeem" in message:
                channel.send(number=message["number"], new=self.provider.redeem(message["redeem"]))
            elif "revoked" in message:
                self.provider.revocations[int(message["revoked"].split(":")[0])] += 1
            elif "ready" in message:
                self.channels.append(channel)
                if len(self.channels) == self._processes:
                    self.all_ready.set()
            else:
                self._report(message["race"], message["results"])
        channel.close()
        for done in self._done.values():
            # A worker that crashed must not block the run.
            done.set_exception(RuntimeError("a worker has ended"))
        self._done.clear()

    async def race(self, number: int, secret: str) -> Sequence[str]:
        """Let every worker's callers refresh this session at once; return the result of each caller."""
        done: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
        self._done[number] = done
        for channel in self.channels:
            channel.send(race=number, secret=secret)
        return await done

    def _report(self, race: int, results: list[str]) -> None:
        self._results.setdefault(race, []).extend(results)
        self._reports[race] += 1
        if self._reports[race] == self._processes:
            self._done.pop(race).set_result(self._results.pop(race))


async def run_races(
    database_url: str,
    *,
    races: int,
    callers: int = 8,
    processes: int = 4,
    lease: float = 5.0,
    progress: Callable[[int], None] = lambda _: None,
) -> Run:
    """Run races on a migrated database. `callers` is a multiple of `processes`."""
    run, key = Run(races, callers, processes), base64.urlsafe_b64encode(os.urandom(32)).decode()
    policy, coordinator, began = SessionPolicy(), Coordinator(processes), time.monotonic()
    server = await asyncio.start_server(coordinator.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    job = Job(port, database_url, key, callers // processes, lease, policy)
    database = PooledDatabase(database_url)
    async with _workers(job, processes):
        await coordinator.all_ready.wait()
        numbers = iter(range(races))

        async def drive() -> None:
            for number in numbers:
                finding = await _judged(coordinator, database, job, number)
                if finding is not None:
                    run.findings.append(f"race {number}: {finding}")
                progress(number + 1)

        await asyncio.gather(*(drive() for _ in range(_AT_ONCE)))
        for channel in coordinator.channels:
            channel.close()
    server.close()
    await server.wait_closed()
    await database.dispose()
    run.redemptions, run.seconds = coordinator.provider.redemptions.total(), time.monotonic() - began
    return run


async def _judged(coordinator: Coordinator, database: PooledDatabase, job: Job, number: int) -> str | None:
    """Run one race and return what was wrong with it, if anything."""
    sessions = _sessions(database, job, time.time)
    principal = Principal(f"user-{number}", f"tenant-{number % _TENANTS}", ISSUER, frozenset(), 0)
    tokens, sign_in = SessionTokens("access", "id", f"{number}:0"), SignIn(ISSUER, principal.user_id)
    started = await sessions.start(principal=principal, tokens=tokens, sign_in=sign_in)
    results = await coordinator.race(number, started.secret)
    redemptions = coordinator.provider.redemptions[number]
    if len(set(results)) != 1 or not results[0].startswith(f"access-{number}:1 "):
        kinds = Counter(result.partition(" ")[0] for result in results)
        return f"the callers got different results: {dict(kinds)}, after {redemptions} redemptions"
    if redemptions != 1 or coordinator.provider.revocations[number]:
        return f"{redemptions} redemptions, {coordinator.provider.revocations[number]} revocations"
    secret = results[0].partition(" ")[2]
    stored = await sessions.locate(secret)
    if (stored.version, stored.id) != (2, started.session.id) or stored.lease_holder is not None:
        return f"version {stored.version}, lease of {stored.lease_holder}"
    later = _sessions(database, job, lambda: time.time() + job.policy.grace_seconds)
    for used, expected in ((started.secret, SecretReused), (secret, SessionEnded)):
        try:
            await later.locate(used)
        except (SecretReused, SessionEnded) as error:
            if type(error) is not expected:
                return f"{type(error).__name__} instead of {expected.__name__} after the grace"
        else:
            return "the session outlived the use of its earlier secret after the grace"
    return None


def _sessions(database: PooledDatabase, job: Job, clock: Callable[[], float]) -> SessionService:
    async def sealer() -> Sealer:
        return Sealer([job.sealing_key])

    store = SessionRepository(database, Endings(record_in, job.policy))
    return SessionService(store, sealer, policy=job.policy, clock=clock)


@asynccontextmanager
async def _workers(job: Job, number: int) -> AsyncIterator[None]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}",
        VARIABLE: json.dumps(asdict(job)),
    }
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "races.worker", env=environment)
        for _ in range(number)
    ]
    try:
        yield
        await asyncio.gather(*(process.wait() for process in started))
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
                await process.wait()
