"""The audit log at size: the cost of an event in a transaction, and the rates of sealing and verifying.

    python -m benchmarks.audit [--events N] [--tenants N] [--verify-tenants N]

One PostgreSQL (`fsync` on, as `make dev` starts it), the container's connection pool and a folder of anchors. It prints
a line of JSON for each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg

from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database import migrator
from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.checkpoints import log_origin
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.signers import SigningKeys
from tenantgate.transparency.tasks import Sealer
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.tasks import log_verifier
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres

APPENDS = 500
_AT_ONCE = 3
_WORK = "INSERT INTO session_lookup (lookup_hash, tenant_id, session_id) VALUES ($1, $2, $3)"
# The size of a typical event with its encrypted user.
_FILL = (
    "INSERT INTO audit_events (id, tenant_id, event_type, outcome, actor, resource_type, request_id, session_id,"
    " user_digest, encrypted_user, detail, occurred_at)"
    " SELECT gen_random_uuid(), 'org-' || i % $1, 'AUTH_TOKEN_REFRESHED', 'success', 'user', 'session',"
    " 'request-' || i, gen_random_uuid(), sha256(i::text::bytea), repeat('x', 220), '{}', now()"
    " FROM generate_series(1, $2) i"
)
_QUEUE = "INSERT INTO audit_queue (tenant_id, id, created_at) SELECT tenant_id, id, created_at FROM audit_events"


async def append_cost(database: PooledDatabase) -> dict[str, float]:
    """Return the milliseconds of a transaction with a row, without and with an event; the two alternate."""
    times: dict[bool, list[float]] = {False: [], True: []}
    for number in range(APPENDS):
        for records in (False, True):
            event = Event("AUTH_LOGOUT", "append", resource_type="session", detail={"reason": "sign_out"}).stored(None)
            began = time.perf_counter()
            async with database.tenant("append") as unit:
                await unit.execute(_WORK, uuid4().bytes * 2, "append", uuid4())
                if records:
                    await record(unit, event)
            if number >= APPENDS // 10:
                times[records].append((time.perf_counter() - began) * 1000)
    without, with_event = (statistics.median(times[records]) for records in (False, True))
    return {"p50_without_ms": without, "p50_with_ms": with_event, "p50_added_ms": with_event - without}


async def fill(url: str, tenants: int, events: int) -> None:
    """Add queued events without the triggers, which the other figure measures."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ALTER TABLE audit_events DISABLE TRIGGER USER")
        await connection.execute("TRUNCATE audit_queue")
        await connection.execute("TRUNCATE audit_events")
        await connection.execute(_FILL, tenants, events, timeout=None)
        await connection.execute(_QUEUE, timeout=None)
        await connection.execute("ALTER TABLE audit_events ENABLE TRIGGER USER")
        await connection.execute("VACUUM ANALYZE", timeout=None)
    finally:
        await connection.close()


async def run(tenants: int, events: int, verified: int) -> None:
    """Print the figures."""
    secret = new_sealing_key()

    async def keys() -> str:
        return secret

    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as postgres:
        addresses = postgres.start()
        await asyncio.to_thread(migrator.upgrade, addresses.owner_url)
        database, signing = PooledDatabase(addresses.app_url), SigningKeys(keys)
        try:
            tell(append=await append_cost(database))
            await fill(addresses.admin_url, tenants, events)
            anchors = FolderAnchors(Path(folder) / "anchors")
            origin = partial(log_origin, "bench.example")
            sealer = Sealer(LogRepository(database), signing, anchors, origin, at_once=_AT_ONCE, seconds=3600)
            began, before = time.perf_counter(), time.process_time()
            done = await sealer.run(on_progress=lambda sofar: _note(sofar.events, time.perf_counter() - began))
            seconds = time.perf_counter() - began
            tell(
                sealed=done.events,
                tenants=done.tenants,
                checkpoints=done.checkpoints,
                seconds=round(seconds, 1),
                per_second=round(done.events / seconds),
                processor_seconds=round(time.process_time() - before, 1),
            )
            began = time.perf_counter()
            await sealer.run()
            tell(idle_run_ms=(time.perf_counter() - began) * 1000)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            log_keys = LogKeys(await signing.public_keys())
            verifier = await log_verifier(LogPages(database), log_keys, None)
            began = time.perf_counter()
            results = [await verifier.verify(f"org-{number}") for number in range(verified)]
            seconds = time.perf_counter() - began
            count = sum(result.events for result in results)
            tell(
                verified=count,
                findings=sum(result.wrong for result in results),
                seconds=round(seconds, 1),
                per_second=round(count / seconds),
                peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                peak_before_mib=round(memory / 1024),
            )
        finally:
            await database.dispose()


def _note(events: int, seconds: float) -> None:
    if events % 100_000 < 1000:
        print(f"{events:,} events after {seconds:.0f} s", file=sys.stderr)


def tell(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--verify-tenants", type=int, default=100)
    given = parser.parse_args()
    asyncio.run(run(given.tenants, given.events, given.verify_tenants))


if __name__ == "__main__":
    main()
