"""The steps of a restore drill, and its figures."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database.connection import connect
from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate.database.pool import PooledDatabase
from tenantgate.sessions.models import SessionPolicy
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate_cli.backup.drill import logs
from tenantgate_cli.backup.drill.load import Load, found_writes
from tenantgate_cli.backup.drill.person import PERSON, erase, record
from tenantgate_cli.backup.drill.served import Served, prepare, served
from tenantgate_cli.backup.drill.visitor import Visitor
from tenantgate_cli.backup.erasures import Ledger, read_ledger
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.following import Follower, Pace
from tenantgate_cli.backup.keys import BackupKeys, new_key
from tenantgate_cli.backup.server_restore import Restored, restore_server
from tenantgate_cli.backup.tables import digests
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.seeding import Seed, Size

LONGEST_LOSS, LONGEST_OUTAGE = 60.0, 600.0
_ARCHIVED_SECONDS = 300.0
# Commits of the pause are over before its moment.
_QUIET_SECONDS = 0.5
_UNSECURED = (
    "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id'"
    " AND c.relname NOT IN ('tenants', 'session_lookup') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
)
_REVISION = "SELECT version_num FROM alembic_version"
_SESSIONS = "SELECT count(*) FROM sessions"


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds`: of load before the loss. `every`: seconds between two looks at the log. `sessions`: their number."""

    seconds: float = 120.0
    every: float = 10.0
    sessions: int = 100_000


@dataclass
class Drilled:
    """The figures. `rows`, `base_bytes`: of the database and its copy. `acknowledged`, `lost`: writes.

    `loss`: seconds of writes that are lost (RPO). `outage`: seconds from the loss until a user signed in again (RTO),
    of them `restoring`: for the restoration of the files.
    """

    rows: int = 0
    base_bytes: int = 0
    acknowledged: int = 0
    lost: int = 0
    loss: float = 0.0
    restoring: float = 0.0
    outage: float = 0.0
    findings: list[str] = field(default_factory=list)

    def require(self, holds: bool, finding: str) -> None:
        """Note a finding unless the condition holds."""
        if not holds:
            self.findings.append(finding)


@dataclass(frozen=True, slots=True)
class Loss:
    """A lost server. `quiet`: a moment without writes, and the tables of then. `ledger`: see `Load.acknowledged`.

    `at`: epoch second of the loss.
    """

    quiet: datetime
    tables: Mapping[str, tuple[int, str]]
    ledger: Mapping[int, float]
    at: float


def drill(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Drilled:
    """Lose and restore a server in `folder`. Raises Failure if a step can't be done at all."""
    done = Drilled()
    backups = BackupFolder(folder / "backups", BackupKeys([new_key()]))
    backups.path.mkdir()
    first, second, earlier = (folder / name for name in ("first", "second", "earlier"))
    anchors = FolderAnchors(DataFolder(first).anchors)
    prepare(first)
    progress("a server was created")
    with served(first) as stack:
        asyncio.run(_seed(stack, plan.sessions))
        asyncio.run(record(stack, PERSON))
        progress(f"{plan.sessions:,} sessions were added")
        stays, leaves = Visitor(stack.url), Visitor(stack.url)
        for visitor in (stays, leaves):
            visitor.sign_in()
        thief = leaves.copy()
        loss = _lose(plan, stack, backups, leaves, anchors, progress)
    done.acknowledged = len(loss.ledger)
    done.base_bytes = backups.newest(kind="base").size
    ledger = asyncio.run(read_ledger(anchors))
    restored = _restore(backups, first, second, None, ledger, progress)
    done.restoring = time.time() - loss.at
    with served(second) as stack:
        Visitor(stack.url).sign_in()
        done.outage = time.time() - loss.at
        progress(f"a user signed in {done.outage:.1f} s after the loss")
        _check(stack, done, loss)
        events, findings = asyncio.run(logs.verify(stack, anchors))
        progress(f"the audit logs were verified: {events:,} events")
        done.require(events > 0, "no sealed audit event was restored")
        # Writes that were lost can be events that an anchored checkpoint has.
        done.require(not findings or done.lost > 0, f"the audit logs: {', '.join(findings)}")
        done.require(not stays.is_signed_in(stack.url), "a session of the lost server still works")
        done.require(not thief.is_signed_in(stack.url), "a session that its user ended is alive again")
    (tables,) = restored.tables.values()
    done.rows = sum(rows for rows, _ in tables.values())
    before = _restore(backups, first, earlier, loss.quiet, ledger, progress)
    (tables,) = before.tables.values()
    done.require(len(ledger.entries) == 1, "the erasure of a person isn't in the ledger outside the database")
    done.require(
        (before.replayed.known, before.replayed.keys) == (0, 1), "an erasure that the database forgot wasn't repeated"
    )
    done.require(restored.replayed.known == 1, "an erasure was lost with the server")
    different = sorted(name for name in tables.keys() | loss.tables.keys() if tables.get(name) != loss.tables.get(name))
    done.require(not different, f"restored at a moment, these tables differ: {', '.join(different)}")
    done.require(done.loss <= LONGEST_LOSS, f"{done.loss:.1f} s of writes were lost")
    done.require(done.outage <= LONGEST_OUTAGE, f"the outage took {done.outage:.0f} s")
    return done


async def _seed(stack: Served, sessions: int) -> None:
    database = PooledDatabase(stack.app_url)
    try:
        numbers = iter(range(sessions + 1))
        seed = Seed(
            database, Sealer([new_sealing_key()]), SessionPolicy(), stack.url, lambda: f"seeded-{next(numbers)}"
        )
        await seed.plant(Size(max(1, sessions // 10), max(1, sessions // 100), sessions))
    finally:
        await database.dispose()


def _lose(  # noqa: PLR0917  (the parts of a drill)
    plan: Plan,
    stack: Served,
    backups: BackupFolder,
    leaves: Visitor,
    anchors: FolderAnchors,
    progress: Callable[[str], None],
) -> Loss:
    """Stream the server under load, let a user sign out and another one be erased, and kill it."""
    ended = threading.Event()
    failures: list[BaseException] = []
    follower = Follower(stack.admin_url, backups, Pace(every=plan.every), progress)

    def follow() -> None:
        try:
            with backups.held():
                follower.follow(ended.wait)
        except BaseException as error:  # noqa: BLE001  (raised again below)
            failures.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        with Load(stack.app_url) as load:
            _await_archive(follower, failures)
            time.sleep(plan.seconds / 2)
            with load.paused():
                time.sleep(_QUIET_SECONDS)
                quiet, tables = asyncio.run(_state(stack.admin_url))
                time.sleep(_QUIET_SECONDS)
            leaves.sign_out()
            asyncio.run(erase(stack, PERSON, anchors))
            progress("a person was erased")
            asyncio.run(logs.seal(stack, anchors))
            time.sleep(plan.seconds / 2)
            stack.kill_database()
            lost_at = time.time()
            progress("the database is lost")
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]
    return Loss(quiet, tables, load.acknowledged, lost_at)


def _await_archive(follower: Follower, failures: list[BaseException]) -> None:
    """Wait until the log is archived up to now. Raises Failure, or the follower's failure."""
    began, deadline = datetime.now(UTC), time.monotonic() + _ARCHIVED_SECONDS
    while follower.until is None or follower.until < began:
        if failures:
            raise failures[0]
        if time.monotonic() > deadline:
            raise Failure("the log of the server isn't archived", "look at the lines above")
        time.sleep(0.1)


async def _state(url: str) -> tuple[datetime, Mapping[str, tuple[int, str]]]:
    connection = await connect(url, statement_seconds=None)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await digests(connection)
            moment: datetime = await connection.fetchval("SELECT transaction_timestamp()")
        return moment.astimezone(UTC), found
    finally:
        await connection.close()


def _restore(  # noqa: PLR0917  (as above)
    backups: BackupFolder,
    first: Path,
    into: Path,
    at: datetime | None,
    ledger: Ledger,
    progress: Callable[[str], None],
) -> Restored:
    """Restore the files into the data folder of another stack, which gets the passwords and keys of the first one."""
    (into / "postgres").mkdir(parents=True)
    manifest = backups.newest(kind="base", at=at)
    restored = restore_server(backups, manifest, into / "postgres" / "cluster", at=at, progress=progress, ledger=ledger)
    shutil.copy(first / "postgres" / "roles.json", into / "postgres")
    shutil.copy(first / "secrets.json", into)
    return restored


def _check(stack: Served, done: Drilled, loss: Loss) -> None:
    """Compare the restored server with the ledger, and look at its schema and its row-level security."""
    found = asyncio.run(found_writes(stack.admin_url))
    lost = {number: at for number, at in loss.ledger.items() if number not in found}
    done.lost = len(lost)
    done.loss = loss.at - min(lost.values()) if lost else 0.0
    kept = [at for number, at in loss.ledger.items() if number in found]
    done.require(not lost or max(kept) <= min(lost.values()), "a write is missing that is older than one that was kept")
    revision, unsecured, seen, there = asyncio.run(_looks(stack))
    done.require(revision == KNOWN_REVISIONS[-1], f"the schema is at revision {revision}")
    done.require(unsecured == 0, f"{unsecured} tables of tenants are not under row-level security")
    done.require(seen == 0, "the application sees sessions outside a tenant")
    done.require(there > 0, "the new session isn't in the restored database")


async def _looks(stack: Served) -> tuple[str, int, int, int]:
    admin, application = await connect(stack.admin_url), await connect(stack.app_url)
    try:
        return (
            await admin.fetchval(_REVISION),
            await admin.fetchval(_UNSECURED),
            await application.fetchval(_SESSIONS),
            await admin.fetchval(_SESSIONS),
        )
    finally:
        await admin.close()
        await application.close()
