"""Apply each migration under load, up and down, and append its row to docs/migrations/LOG.md.

    python -m tests.functional.migrations.under_load --sessions 100000 --clients 8 --seconds 5

`--revision 0008`, also several times, chooses migrations. The exit code is 1 if a client had an error, or waited longer
than a second for a lock. docs/migrations/README.md describes the clients.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from tenantgate.database import migrator
from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate_cli.paths import ROOT
from tenantgate_cli.run_logs import PROCESSORS, append_row
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.postgres import PostgresServer
from tests.fixtures.migrations.applied import Applied, apply

LOG = ROOT / "docs" / "migrations" / "LOG.md"
_HEAD = """# Log of migrations under load

`python -m tests.functional.migrations.under_load` appends a row for each migration; don't edit this page.
[README.md](README.md) describes the clients. Times are in seconds, with PostgreSQL on the same machine; "wait": the
longest wait of a client for the lock of a table; "slowest": the slowest statement of a client.
"""
# The second migration creates the first table.
APPLIED = tuple(pairwise(KNOWN_REVISIONS[1:]))


def append(done: Applied, sessions: int, clients: int, log: Path = LOG) -> None:
    """Add a row to the log."""
    figures = {
        "revision": done.revision,
        "sessions": f"{sessions:,}",
        "clients": str(clients),
        **PROCESSORS,
        "statements": f"{done.statements:,}",
        "up": f"{done.up:.2f}",
        "wait, up": f"{done.up_wait:.2f}",
        "down": f"{done.down:.2f}",
        "wait, down": f"{done.down_wait:.2f}",
        "slowest": f"{done.slowest:.2f}",
        "findings": str(len(done.findings)),
    }
    append_row(log, _HEAD, figures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="under_load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8, help="of each revision")
    parser.add_argument("--seconds", type=float, default=5.0, help="of use before, between and after")
    parser.add_argument("--revision", action="append", choices=[revision for _, revision in APPLIED])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    findings: list[str] = []
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as running:
        server = PostgresServer(running.start())
        for before, revision in APPLIED:
            if options.revision and revision not in options.revision:
                continue
            urls = server.create_database(migrated=False)
            migrator.upgrade(urls.owner_url, before)
            done = asyncio.run(
                apply(
                    urls,
                    before,
                    revision,
                    sessions=options.sessions,
                    clients=options.clients,
                    seconds=options.seconds,
                )
            )
            server.drop_database(urls)
            append(done, options.sessions, options.clients)
            _say(f"{done.revision}: up {done.up:.2f} s, down {done.down:.2f} s, {len(done.findings)} findings")
            findings += done.findings
    for finding in findings[:20]:
        _say(finding)
    return 1 if findings else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
