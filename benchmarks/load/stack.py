"""The servers under load: one container, PostgreSQL and Valkey, and a provider."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.load.mix import Mix
from benchmarks.load.phases import Phase, run_phase
from benchmarks.load.watch import Sample, Watch
from benchmarks.serving.container import container_variables, running_container, until_it_listens
from benchmarks.serving.messages import Connections, http_request
from benchmarks.serving.processor import cpu_seconds
from benchmarks.serving.provider import Provider
from benchmarks.serving.sessions import start_sessions, tenant_of
from benchmarks.sessions import execute
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database import migrator
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey

# Counted, and never reached.
RAISED_LIMITS = "address=10000000/minute,identity=10000000/minute,tenant=10000000/minute"
_USERS_SIGNING_IN = 200
_WARM_UP_RATE, _WARM_UP_SECONDS = 40.0, 5.0
_CLOSING_SECONDS = 3.0
# For each worker of the container, as a load balancer would limit them: a worker serves 800, and closes those far
# beyond that without a response. A request that waits for a connection counts from its intended time.
_CONNECTIONS = 600
_NICE = 3


class Stack(NamedTuple):
    """`pids`: the main process of each server, and this one."""

    mix: Mix
    connections: Connections
    watch: Watch
    pids: dict[str, int]

    async def phase(self, rate: float, seconds: float) -> Phase:
        """Run a phase on all connections, and count the processor time of each part.

        They are opened before it: each takes memory in the container, and how many a phase would need depends on its
        times.
        """
        await self.connections.fill()
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        phase = await run_phase(self.mix, rate, seconds)
        return phase._replace(cpu={name: cpu_seconds(pid) - before[name] for name, pid in self.pids.items()})

    async def idle(self) -> Sample:
        """Close the clients' connections, and return a sample without load."""
        self.connections.close()
        await asyncio.sleep(_CLOSING_SECONDS)
        return self.watch.samples[-1]


@asynccontextmanager
async def loaded_stack(*, workers: int, sessions: int, tell: Callable[[str], None]) -> AsyncIterator[Stack]:
    """Start the servers with this many sessions, and warm them up. `workers`: processes of the container."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
        EmbeddedValkey(Path(folder) / "valkey") as valkey,
    ):
        addresses, redis_url = postgres.start(), valkey.start()
        await asyncio.to_thread(migrator.upgrade, addresses.owner_url)
        provider, key = Provider(), new_sealing_key()
        tell(f"signing tokens and starting {sessions:,} sessions")
        started = await start_sessions(addresses, provider, key, sessions)
        for number in range(_USERS_SIGNING_IN):
            provider.sign_in(sessions + number, tenant_of(number))
        await execute(addresses.admin_url, "VACUUM ANALYZE")
        variables = container_variables(addresses, redis_url, provider, key, Path(folder))
        variables |= {"WEB_CONCURRENCY": str(workers), "RATE_LIMITS": RAISED_LIMITS}
        log = Path(folder) / "container.log"
        with provider.serving_apart() as provider_process, running_container(variables, log) as (port, process):
            connections = Connections(port, most=workers * _CONNECTIONS)
            live = http_request("GET", "/api/v1/health/live")
            await until_it_listens(lambda: connections.send(live), log)
            mix = Mix(connections, started)
            await run_phase(mix, _WARM_UP_RATE, _WARM_UP_SECONDS)
            servers = {"container": process, "PostgreSQL": _known(postgres.pid), "Valkey": _known(valkey.pid)}
            prefer(os.getpid(), provider_process, over=servers.values())
            async with Watch(servers, provider_process, addresses.admin_url, redis_url, connections).running() as watch:
                pids = {**servers, "provider": provider_process, "load": os.getpid()}
                yield Stack(mix, connections, watch, pids)
            connections.close()


def prefer(*chosen: int, over: Iterable[int]) -> None:
    """Let these processes keep their pace next to busy servers: raise their priority, or lower the others' if that is
    denied.
    """
    try:
        for pid in chosen:
            psutil.Process(pid).nice(-_NICE)
    except psutil.AccessDenied:
        for main in over:
            for process in [psutil.Process(main), *psutil.Process(main).children(recursive=True)]:
                process.nice(_NICE)


def _known(pid: int | None) -> int:
    assert pid is not None
    return pid
