"""The stream of a server's write-ahead log: `pg_receivewal` writes it into a private folder as it is written there."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tenantgate.database.connection import connect
from tenantgate_cli.backup.manifest import Server
from tenantgate_cli.backup.programs import connected, program
from tenantgate_cli.console import Failure, printable
from tenantgate_cli.stack.servers.launch import Running, launch

_SERVER = (
    "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_id,"
    " (SELECT rolname::text FROM pg_catalog.pg_roles WHERE oid = 10) AS admin,"
    " pg_walfile_name(pg_current_wal_lsn()) AS segment,"
    " (SELECT bytes_per_wal_segment FROM pg_control_init()) AS segment_bytes,"
    " current_setting('server_version') AS version,"
    " (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may_replicate"
)
_POSITION = "SELECT pg_current_wal_flush_lsn()::text AS position, clock_timestamp() AS moment"
_REACHED = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_replication"
    " WHERE application_name = $1 AND state = 'streaming' AND flush_lsn >= $2::text::pg_lsn)"
)
_CATCH_UP_SECONDS = 5.0
_STOP_SIGNALS = (("SIGINT", 10), ("SIGKILL", 0))
_GONE = re.compile(r"has already been removed")


@dataclass(frozen=True, slots=True)
class Origin:
    """A server, and its version, such as `18.6`."""

    server: Server
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


def origin(url: str) -> Origin:
    """Return the server of a URL. Raises Failure if the login may not replicate; asyncpg's errors, `OSError`."""
    row = asyncio.run(_fetch(url, _SERVER))
    if not row["may_replicate"]:
        raise Failure(
            "this login may not stream the write-ahead log",
            "give a superuser's URL or one of a role with REPLICATION; or leave out --stream: a dump needs no right",
        )
    server = Server(row["system_id"], row["admin"], row["segment"], row["segment_bytes"])
    return Origin(server, row["version"].partition(" ")[0])


async def _fetch(url: str, statement: str) -> Any:
    connection = await connect(url, statement_seconds=10)
    try:
        return await connection.fetchrow(statement)
    finally:
        await connection.close()


class WalStream:
    """`pg_receivewal` while the block runs. `spool`: the folder into which it writes."""

    def __init__(self, url: str, major: int) -> None:
        self._url = url
        self._program = program("pg_receivewal", version=major)
        # The server shows it under its own name: another stream may run for a moment.
        self._name = f"tenantgate_backup_{time.time_ns() % 10**9}"
        self._connected = connected(url, application=self._name)
        self._running: Running | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tenantgate-wal-")
        self.spool = Path(self._folder.name) / "spool"
        self.spool.mkdir(mode=0o700)
        self._log = Path(self._folder.name) / "log"
        self.run()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def run(self) -> bool:
        """Start the program if it isn't running. Return True if it begins again: the log has a gap.

        The server may no longer have the segment that the program needs next. The program ends with this process, also
        after a SIGKILL.
        """
        lost = self._lost()
        if self._running is not None and not self._running.has_ended() and not lost:
            return False
        self.stop()
        if lost:
            for path in self.spool.iterdir():
                path.unlink()
        self._log.unlink(missing_ok=True)
        command = [
            str(self._program),
            "-D",
            str(self.spool),
            "-d",
            self._connected.url,
            "--no-password",
            "--synchronous",
        ]
        self._running = launch(
            [*command, "--status-interval=1"],
            directory=self.spool,
            log=self._log,
            user=None,
            stop_signals=_STOP_SIGNALS,
            environment=self._connected.environment,
        )
        return lost

    def stop(self) -> None:
        """Stop the program; it writes what it has."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def caught_up(self) -> datetime | None:
        """Wait until the stream has everything that is committed now. Return that moment of the server's clock.

        None: the stream is interrupted or slow. Raises asyncpg's errors and `OSError` if the server can't be reached.
        """
        return asyncio.run(self._caught_up())

    async def _caught_up(self) -> datetime | None:
        connection = await connect(self._url, statement_seconds=10)
        try:
            row = await connection.fetchrow(_POSITION)
            deadline = time.monotonic() + _CATCH_UP_SECONDS
            while not await connection.fetchval(_REACHED, self._name, row["position"]):
                if time.monotonic() > deadline:
                    return None
                await asyncio.sleep(0.05)
            moment: datetime = row["moment"]
            return moment
        finally:
            await connection.close()

    def problem(self) -> str:
        """Return the last line of the program's output."""
        lines = self._output().splitlines()
        return printable(lines[-1]) if lines else "no connection yet"

    def _lost(self) -> bool:
        return _GONE.search(self._output()) is not None

    def _output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
