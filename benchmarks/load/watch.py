"""Memory, descriptors and connections of the servers, once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import asyncpg
import psutil
from redis.asyncio import Redis

from benchmarks.serving.messages import Connections

POSTGRES_CONNECTIONS, VALKEY_CLIENTS = "PostgreSQL connections", "Valkey clients"
OTHER_DESCRIPTORS = "container, other descriptors"
_EVERY_SECONDS = 1.0
_MB = 1024 * 1024


class Sample(NamedTuple):
    """`at`: a time of `time.perf_counter`. `values`: by the name of the series."""

    at: float
    values: Mapping[str, float]


class Watch:
    """The samples of a run. `pids`: the main process of each server, by its name. `clients`: the container's clients.

    The other descriptors of the container are all but its connections to clients, PostgreSQL, Valkey and the provider,
    whose numbers follow the load.
    """

    def __init__(
        self, pids: Mapping[str, int], provider: int, admin_url: str, redis_url: str, clients: Connections
    ) -> None:
        self._pids = pids
        self._provider = psutil.Process(provider)
        self._idle_provider = _descriptors(self._provider)
        self._clients = clients
        self._admin_url = admin_url
        self._redis_url = redis_url
        self.samples: list[Sample] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Watch]:
        """Take a sample each second during the block."""
        connection = await asyncpg.connect(self._admin_url)
        valkey = Redis.from_url(self._redis_url)
        task = asyncio.create_task(self._watch(connection, valkey))
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await valkey.aclose()
            await connection.close()

    async def _watch(self, connection: asyncpg.Connection, valkey: Redis) -> None:
        while True:
            began = time.perf_counter()
            values = await asyncio.to_thread(self._of_processes)
            values[POSTGRES_CONNECTIONS] = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND pid <> pg_backend_pid()"
            )
            # Without the connection of this watch.
            values[VALKEY_CLIENTS] = (await valkey.info("clients"))["connected_clients"] - 1
            connections = self._clients.open + values[POSTGRES_CONNECTIONS] + values[VALKEY_CLIENTS]
            connections += values.pop("provider, connections")
            values[OTHER_DESCRIPTORS] = values.pop("container, descriptors") - connections
            self.samples.append(Sample(began, values))
            await asyncio.sleep(max(0.0, _EVERY_SECONDS - (time.perf_counter() - began)))

    def _of_processes(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, pid in self._pids.items():
            values[f"{name}, MB"] = sum(memory(process) for process in _tree(pid)) / _MB
        values["container, descriptors"] = sum(_descriptors(process) for process in _tree(self._pids["container"]))
        values["provider, connections"] = _descriptors(self._provider) - self._idle_provider
        return values


def memory(process: psutil.Process) -> float:
    """Return the bytes of memory of a process, each page divided among the processes that share it (PSS).

    Without Linux's figures, it is the resident size. 0 if the process has ended.
    """
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            return float(process.memory_info().rss)
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    return 0.0


def _tree(pid: int) -> list[psutil.Process]:
    main = psutil.Process(pid)
    return [main, *main.children(recursive=True)]


def _descriptors(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return process.num_fds()
    return 0
