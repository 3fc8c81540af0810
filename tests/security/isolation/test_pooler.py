"""The pooler that the attacks go through: real, shared by transaction, unprivileged, and gone with its process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.fixtures.databases.pgbouncer import PgBouncer
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.programs.requires import requires_pgbouncer

pytestmark = [pytest.mark.anyio, requires_pgbouncer]

ROOT = Path(__file__).parents[3]
PARENT = """
import sys
from pathlib import Path
from tests.fixtures.databases.pgbouncer import pgbouncer
from tests.fixtures.databases.postgres import DatabaseUrls
with pgbouncer(DatabaseUrls(*sys.argv[2:]), Path(sys.argv[1]), connections=1) as pooler:
    print(pooler.pid, flush=True)
    sys.stdin.read()
"""


async def test_clients_share_server_connections_by_transaction(pooler: PgBouncer) -> None:
    clients = [await asyncpg.connect(pooler.app_url, statement_cache_size=0) for _ in range(9)]
    try:
        backends = {await client.fetchval("SELECT pg_backend_pid()") for client in clients}
        assert 1 <= len(backends) <= 3
        assert await clients[0].fetchval("SELECT current_user::text") == "tenantgate_app"
    finally:
        for client in clients:
            client.terminate()


async def test_a_named_statement_does_not_survive(pooler: PgBouncer) -> None:
    """The pooler pools: what a driver with its usual settings keeps on a connection isn't there the next time."""
    usual, other = await asyncpg.connect(pooler.app_url), await asyncpg.connect(pooler.app_url, statement_cache_size=0)

    async def take_turns() -> None:
        for number in range(6):
            await usual.fetchval("SELECT $1::int", number)
            # It gets the connection that was used last, and keeps it for the next turn.
            await other.execute("ROLLBACK" if number % 2 else "BEGIN")

    try:
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):
            await take_turns()
    finally:
        usual.terminate()
        other.terminate()


async def test_a_wrong_password_is_refused(pooler: PgBouncer) -> None:
    with pytest.raises(asyncpg.PostgresError, match="SASL authentication failed"):
        await asyncpg.connect(pooler.app_url, password="wrong")


def test_it_never_runs_as_root(pooler: PgBouncer) -> None:
    assert psutil.Process(pooler.pid).uids().real != 0
    assert {one.laddr.ip for one in psutil.Process(pooler.pid).net_connections() if one.status == "LISTEN"} == {
        "127.0.0.1"
    }


def test_it_ends_with_a_killed_parent(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    urls = (database_urls.owner_url, database_urls.app_url, database_urls.admin_url)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), *urls],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
