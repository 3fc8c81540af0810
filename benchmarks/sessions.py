"""Sessions in a full database, compared with an almost empty one.

    python -m benchmarks.sessions [--sessions N] [--users N] [--tenants N] [--rounds N] [--json]

One PostgreSQL (`fsync` on, as `make dev` starts it) has two databases with the product's schema: one with 500 sessions
of one tenant, the other as `tenantgate seed` fills it. The session service runs in this process on the container's
connection pool, four calls at a time. Rounds on the two databases alternate, because other load on the machine slows
both. Each call uses a session at random:

    read      the session of a cookie, from PostgreSQL
    list      all sessions of a user, as `GET /api/v1/auth/sessions` does
    refresh   the lease and the rotation of a refresh, as stored; without the provider
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database import migrator
from tenantgate.database.pool import PooledDatabase
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.revocation.repository import record_in
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import SessionPolicy, User
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate_cli.stack.seeding import Seed, Size
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres

GOAL = 1.5
CALLERS = 4
CALLS = 500
ROUNDS = 12
EMPTY = Size(users=50, tenants=1, sessions=500)
FULL = Size(users=100_000, tenants=1_000, sessions=1_000_000)
_LEASE_SECONDS = 30.0
_GRACE_SECONDS = 10.0


class Figure(NamedTuple):
    """Milliseconds in the two databases."""

    name: str
    empty_p50: float
    full_p50: float
    empty_p99: float
    full_p99: float

    @property
    def ratio(self) -> float:
        return self.full_p99 / self.empty_p99


class Filled:
    """A database with seeded sessions, and the calls on it."""

    def __init__(self, url: str) -> None:
        self.database = PooledDatabase(url)
        self._sealer = Sealer([new_sealing_key()])
        # A day without use: a run takes longer than the default of half an hour.
        self._policy = SessionPolicy(idle_seconds=24 * 3600, absolute_seconds=24 * 3600)
        endings = Endings(record_in, self._policy)
        store = SessionRepository(self.database, endings)
        self._sessions = SessionService(store, self._current_sealer, policy=self._policy)
        self._refreshes = RefreshRepository(self.database, endings)
        self._secrets: list[str] = []
        self._users: list[User] = []

    async def fill(self, size: Size, on_progress: Callable[[int], None]) -> None:
        seed = Seed(self.database, self._sealer, self._policy, "https://issuer.example.test/", lambda: f"org-{uuid4()}")
        seeded = await seed.plant(size, keep=2000, on_progress=on_progress)
        self._secrets = [*seeded.secrets]
        self._users = [(await self._sessions.locate(secret)).user for secret in self._secrets]

    async def read(self) -> None:
        await self._sessions.locate(random.choice(self._secrets))

    async def list(self) -> None:
        await self._sessions.of_user(random.choice(self._users))

    async def refresh(self) -> None:
        # Each secret is used by one call at a time, and replaced.
        place = random.randrange(len(self._secrets))
        self._secrets[place], self._secrets[-1] = self._secrets[-1], self._secrets[place]
        secret = SESSION_SECRETS.parse(self._secrets.pop())
        assert secret is not None
        holder, now = uuid4(), time.time()
        claim = await self._refreshes.claim(
            secret.digest,
            tenant_id=secret.tenant_id,
            holder=holder,
            seconds=_LEASE_SECONDS,
            # As if every rotation were long ago.
            rotated_before=now + _GRACE_SECONDS,
            only_expired=False,
        )
        assert claim is not None
        assert claim.is_taken
        new = SESSION_SECRETS.issue(secret.tenant_id)
        after = replace(
            claim.session,
            secret_hash=new.digest,
            previous_hash=claim.session.secret_hash,
            rotated_at=now,
            sealed_replay=claim.session.sealed_tokens[:400],
            version=claim.session.version + 1,
        )
        assert await self._refreshes.rotate(claim.session, holder, to=after) == "stored"
        self._secrets.append(new.text)

    async def _current_sealer(self) -> Sealer:
        return self._sealer


async def _milliseconds(call: Callable[[], Awaitable[None]], calls: int) -> list[float]:
    """Return the time of each of `calls` calls, `CALLERS` at a time."""
    times: list[float] = []
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            began = time.perf_counter()
            await call()
            times.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return times


async def measure(size: Size, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Fill both databases, and measure each call in both."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as postgres:
        addresses = postgres.start()
        await asyncio.to_thread(migrator.upgrade, addresses.owner_url)
        await _copy_database(addresses.admin_url)
        empty, full = Filled(_named(addresses.app_url, "almost_empty")), Filled(addresses.app_url)
        try:
            await empty.fill(EMPTY, lambda _: None)
            began = time.monotonic()
            await full.fill(size, _progress(size, tell))
            tell(f"filled in {time.monotonic() - began:.0f} s")
            # Autovacuum would do this within a minute.
            for url in (addresses.admin_url, _named(addresses.admin_url, "almost_empty")):
                await execute(url, "VACUUM ANALYZE")
            names = ("read", "list", "refresh")
            times: dict[tuple[str, int], list[float]] = {(name, place): [] for name in names for place in (0, 1)}
            for number in range(rounds + 1):
                for name in names:
                    for place, filled in enumerate((empty, full)):
                        measured = await _milliseconds(getattr(filled, name), CALLS)
                        # The first round warms up.
                        times[name, place] += measured if number else []
            return [
                Figure(
                    name,
                    *(percentile(times[name, place], share) for share in (0.5, 0.99) for place in (0, 1)),
                )
                for name in names
            ]
        finally:
            await empty.database.dispose()
            await full.database.dispose()


def percentile(times: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the times are."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def table(figures: Sequence[Figure], size: Size) -> str:
    """Format the figures as Markdown."""
    empty = f"{EMPTY.sessions:,} sessions"
    full = f"{size.sessions:,} sessions"
    lines = [
        f"| call | p50, {empty}, ms | p50, {full}, ms | p99, {empty}, ms | p99, {full}, ms | p99, × | goal |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for figure in figures:
        values = " | ".join(f"{value:.1f}" for value in figure[1:])
        lines.append(f"| {figure.name} | {values} | {figure.ratio:.2f} | ≤ {GOAL} |")
    return "\n".join(lines) + "\n"


def _progress(size: Size, tell: Callable[[str], None]) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if before * 10 // size.sessions < done * 10 // size.sessions:
            tell(f"{done:,} of {size.sessions:,} sessions")

    return advance


async def _copy_database(admin_url: str) -> None:
    name = urlsplit(admin_url).path.lstrip("/")
    await execute(
        _named(admin_url, "postgres"),
        f'CREATE DATABASE almost_empty OWNER tenantgate_owner TEMPLATE "{name}"',
    )


async def execute(url: str, statement: str) -> None:
    import asyncpg  # noqa: PLC0415

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=FULL.sessions, help="in the full database (1000000)")
    parser.add_argument("--users", type=int, default=FULL.users, help="in the full database (100000)")
    parser.add_argument("--tenants", type=int, default=FULL.tenants, help="in the full database (1000)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {CALLS} calls of each kind ({ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    size = Size(options.users, options.tenants, options.sessions)
    figures = asyncio.run(measure(size, options.rounds, tell))
    if options.json:
        rows = [figure._asdict() | {"ratio": round(figure.ratio, 3)} for figure in figures]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.write(table(figures, size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
