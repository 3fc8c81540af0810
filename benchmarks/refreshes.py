"""Refreshes per second with durable rotation, and their times.

    python -m benchmarks.refreshes [--rate N] [--seconds N] [--workers N] [--json]

The container (`python -m container.start`, `LOG_LEVEL=INFO`) runs over PostgreSQL and Valkey as `make dev` starts them:
`fsync` and `synchronous_commit` are on, so that a rotation is on disk before its response. The provider is a stand-in
that responds at once with an access token that was signed before (ES256), another one for each user, and with a new
refresh token. It runs in the process of the load generator. Everything shares the machine's cores.

Each request refreshes another session, with the session's own user, over up to 64 kept connections, which take turns:
each belongs to one of the workers. The tables have statistics, as autovacuum makes them within minutes. Two phases,
after a warm-up of three seconds at the same rate, in which connections are opened:

    paced     requests begin at a fixed rate, whether or not earlier ones are complete; a request that has to wait for
              its turn is measured from the moment at which it should have begun
    at once   16 clients send one request after the other
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving.container import container_variables, running_container, until_it_listens
from benchmarks.serving.messages import Connections, http_request
from benchmarks.serving.processor import cpu_seconds
from benchmarks.serving.provider import Provider
from benchmarks.serving.sessions import start_sessions
from benchmarks.sessions import execute, percentile, tell
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database import migrator
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey

RATE, SECONDS, WORKERS = 300, 20, 2
WARM_UP_SECONDS = 3
GOAL_RATE, GOAL_P99 = 300, 50.0
_CONNECTIONS, _CLIENTS, _FIRST = 64, 16, 200


class Figure(NamedTuple):
    """A phase. Times are in milliseconds; `outcomes` counts the responses by status.

    `cpu`: milliseconds of processor time for each refresh, by part. They hardly depend on other load on the machine.
    """

    name: str
    per_second: float
    p50: float
    p99: float
    outcomes: dict[str, int]
    cpu: dict[str, float]


class Clients:
    """Kept connections to the container."""

    def __init__(self, port: int) -> None:
        self._connections = Connections(port, most=_CONNECTIONS)

    async def refresh(self, secret: str) -> str:
        """Refresh one session, and return the status; `200 same cookie` if the secret wasn't replaced."""
        cookie = f"cookie: __Host-tg_session={secret}"
        response = await self._connections.send(http_request("POST", "/api/v1/auth/refresh", cookie))
        replaced = b"__Host-tg_session=" in response.head and secret.encode() not in response.head
        return response.status if replaced or response.status != "200" else "200 same cookie"

    def close(self) -> None:
        self._connections.close()


async def paced(act: Callable[[str], Awaitable[str]], secrets: Sequence[str], rate: float) -> Figure:
    """Begin a refresh every 1/`rate` seconds."""
    times: list[float] = []
    outcomes: Counter[str] = Counter()
    began = time.perf_counter()

    async def one(secret: str, due: float) -> None:
        outcomes[await act(secret)] += 1
        times.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for place, secret in enumerate(secrets):
            due = began + place / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(secret, due))
    return _figure(f"paced, {rate:g} per second", began, times, outcomes)


async def at_once(act: Callable[[str], Awaitable[str]], secrets: Sequence[str]) -> Figure:
    """Let a few clients send one refresh after the other."""
    times: list[float] = []
    outcomes: Counter[str] = Counter()
    left = iter(secrets)
    began = time.perf_counter()

    async def client() -> None:
        for secret in left:
            due = time.perf_counter()
            outcomes[await act(secret)] += 1
            times.append((time.perf_counter() - due) * 1000)

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    return _figure(f"at once, {_CLIENTS} clients", began, times, outcomes)


async def measure(rate: float, seconds: float, workers: int) -> list[Figure]:
    """Measure both phases on new servers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
        EmbeddedValkey(Path(folder) / "valkey") as valkey,
    ):
        addresses, redis_url = postgres.start(), valkey.start()
        await asyncio.to_thread(migrator.upgrade, addresses.owner_url)
        provider, key = Provider(), new_sealing_key()
        async with provider.serving():
            each = int(rate * seconds)
            warm_up = _FIRST + int(rate * WARM_UP_SECONDS)
            tell(f"signing tokens and starting {2 * each + warm_up:,} sessions")
            started = await start_sessions(addresses, provider, key, 2 * each + warm_up)
            secrets = [session.secret for session in started]
            await execute(addresses.admin_url, "VACUUM ANALYZE")
            variables = container_variables(addresses, redis_url, provider, key, Path(folder))
            log = Path(folder) / "container.log"
            with running_container({**variables, "WEB_CONCURRENCY": str(workers)}, log) as (port, process):
                clients = Clients(port)
                await _warmed_up(clients, secrets[:warm_up], rate, log)
                parts = {"container": process, "PostgreSQL": postgres.pid, "Valkey": valkey.pid, "load": os.getpid()}
                phases = (
                    lambda: paced(clients.refresh, secrets[warm_up : warm_up + each], rate),
                    lambda: at_once(clients.refresh, secrets[warm_up + each :]),
                )
                figures = [await _with_cpu(phase, parts) for phase in phases]
                clients.close()
        refreshed = sum(figure.outcomes.get("200", 0) for figure in figures)
        stored = await _rotations(addresses.admin_url)
        tell(
            f"{refreshed:,} refreshes succeeded, {stored:,} rotations are stored, {provider.redeemed:,} tokens redeemed"
        )
        return figures


def table(figures: Sequence[Figure]) -> str:
    """Format the figures as Markdown."""
    parts = list(figures[0].cpu)
    lines = [
        f"| phase | per second | p50, ms | p99, ms | responses | {' | '.join(f'CPU, {part}, ms' for part in parts)} |",
        f"|---|---:|---:|---:|---|{'---:|' * len(parts)}",
    ]
    for figure in figures:
        outcomes = ", ".join(f"{count:,} × {status}" for status, count in sorted(figure.outcomes.items()))
        times = f"{figure.per_second:.0f} | {figure.p50:.0f} | {figure.p99:.0f}"
        used = " | ".join(f"{figure.cpu[part]:.2f}" for part in parts)
        lines.append(f"| {figure.name} | {times} | {outcomes} | {used} |")
    lines.append(f"| goal | ≥ {GOAL_RATE} | | ≤ {GOAL_P99:.0f} | |{' |' * len(parts)}")
    return "\n".join(lines) + "\n"


def _figure(name: str, began: float, times: Sequence[float], outcomes: Counter[str]) -> Figure:
    per_second = len(times) / (time.perf_counter() - began)
    return Figure(name, per_second, percentile(times, 0.5), percentile(times, 0.99), dict(outcomes), {})


async def _with_cpu(phase: Callable[[], Awaitable[Figure]], parts: Mapping[str, int | None]) -> Figure:
    before = {name: cpu_seconds(pid) for name, pid in parts.items()}
    figure = await phase()
    count = sum(figure.outcomes.values())
    used = {name: (cpu_seconds(pid) - before[name]) * 1000 / count for name, pid in parts.items()}
    return figure._replace(cpu=used)


async def _warmed_up(clients: Clients, secrets: Sequence[str], rate: float, log: Path) -> None:
    """Wait for the container, and warm it up: by a few clients first, since new processes can't keep the rate."""
    await until_it_listens(lambda: clients.refresh(secrets[0]), log)
    await at_once(clients.refresh, secrets[1:_FIRST])
    await paced(clients.refresh, secrets[_FIRST:], rate)


async def _rotations(admin_url: str) -> int:
    import asyncpg  # noqa: PLC0415

    connection = await asyncpg.connect(admin_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM session_secrets"))
    finally:
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE, help=f"paced refreshes per second ({RATE})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of the paced phase ({SECONDS})")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes of the container ({WORKERS})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.rate, options.seconds, options.workers))
    rows = [figure._asdict() for figure in figures]
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
