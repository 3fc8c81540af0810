"""Writes while the drill runs, with a ledger of those that PostgreSQL acknowledged."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import asyncpg

from tenantgate.database.connection import connect

_ADD = "INSERT INTO tenants (tenant_id) VALUES ($1)"
_PREFIX = "drill-"
_FOUND = f"SELECT tenant_id FROM tenants WHERE tenant_id LIKE '{_PREFIX}%'"  # noqa: S608  (a constant)
_PAUSE_SECONDS = 0.02


class Load:
    """Registers one tenant after the other, as the application's user, until the database is lost.

    `acknowledged`: the epoch second of each acknowledgement, by the number of the write.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self._running = threading.Lock()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._write()), daemon=True)
        self.acknowledged: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Write nothing while the block runs."""
        with self._running:
            yield

    async def _write(self) -> None:
        try:
            connection = await connect(self._url, statement_seconds=30)
            number = 0
            while not self._ended.is_set():
                with self._running:
                    await connection.execute(_ADD, f"{_PREFIX}{number:08}")
                    self.acknowledged[number] = time.time()
                number += 1
                await asyncio.sleep(_PAUSE_SECONDS)
            await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # The database is lost, as planned. The writes without an acknowledgement don't count.
            return


async def found_writes(url: str) -> set[int]:
    """Return the numbers of the writes that a database has."""
    connection = await connect(url, statement_seconds=None)
    try:
        return {int(row["tenant_id"].removeprefix(_PREFIX)) for row in await connection.fetch(_FOUND)}
    finally:
        await connection.close()
