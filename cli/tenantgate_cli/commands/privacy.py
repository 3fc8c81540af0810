"""`tenantgate privacy`: erase a person, replay the ledger of erasures, and report what is held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tenantgate.database.connection import connect
from tenantgate.database.pool import PooledDatabase
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.privacy.models import RETENTION, Subject
from tenantgate.privacy.repository import Held, ReportRepository
from tenantgate.privacy.wiring import erasure_service_of
from tenantgate.revocation.wiring import revocation_service_of
from tenantgate.transparency.errors import AnchorUnavailable
from tenantgate_cli.backup.erasures import Replayed, read_ledger, replay_entries, require_ledger
from tenantgate_cli.backup.failures import explained as restoring
from tenantgate_cli.backup.tables import EVERY_TENANT, require_all_rows, tables
from tenantgate_cli.commands.backup import Place as OwnerPlace
from tenantgate_cli.commands.migrate import ask
from tenantgate_cli.console import Failure, printable, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.anchors import anchors_of
from tenantgate_cli.stack.deployment import deployment, explained


@dataclass(frozen=True, slots=True)
class Place:
    """The deployment, and the form of the result."""

    data_dir: Path
    url: str | None
    as_json: bool


def erase(subject: Subject, place: Place, *, confirmed: bool) -> None:
    """Erase a person. Raises Failure."""
    where = deployment(place.data_dir, place.url)
    anchors = anchors_of(place.data_dir, place.url)
    if not confirmed and not ask("Erase this person? This can't be undone."):
        raise Failure("nothing was erased")

    async def run() -> tuple[str, int, int]:
        from tenantgate.cache.client import ValkeyCache  # noqa: PLC0415  (redis takes a while to import)

        database = PooledDatabase(where.database_url)
        cache = None if (cache_url := where.settings.cache_url) is None else ValkeyCache(cache_url)
        revocations = revocation_service_of(where.settings, database, cache)
        service = erasure_service_of(where.settings, database, cache, publish=revocations.spread, anchors=anchors)
        try:
            erased = await service.erase(subject, source="command", actor="operator")
        finally:
            await database.dispose()
            if cache is not None:
                await cache.dispose()
        return str(erased.entry.id), erased.sessions, len(erased.entry.key_ids)

    with explained(where.database_url):
        try:
            erasure_id, sessions, keys = asyncio.run(run())
        except CacheUnavailable:
            raise Failure(
                "erased in PostgreSQL, but the ends of the sessions aren't known everywhere: Valkey can't be reached",
                "run this command again",
            ) from None
    if place.as_json:
        print_result(erasure=erasure_id, sessions=sessions, keys=keys, anchored=anchors is not None)
        return
    say(f"erased: {sessions:,} sessions ended, {keys:,} data keys destroyed; erasure {erasure_id}")
    if anchors is None:
        say("no anchors are configured: a restored backup will have forgotten this")


def replay_ledger(place: Place) -> None:
    """Repeat the anchored erasures in a database that was restored by other means. Raises Failure."""
    anchors = anchors_of(place.data_dir, place.url)
    if anchors is None:
        raise Failure(
            "no anchors are configured here", "set AUDIT_ANCHOR_FOLDER or AUDIT_ANCHOR_BUCKET as in the deployment"
        )
    url = OwnerPlace(place.data_dir, place.url, place.as_json).owner_url()

    async def run() -> Replayed:
        try:
            ledger = await read_ledger(anchors)
        except AnchorUnavailable as error:
            raise Failure(
                f"the ledger of erasures can't be read: {error}", "create or mount the folder, or check the bucket"
            ) from None
        connection = await connect(url, statement_seconds=None)
        try:
            async with connection.transaction():
                await connection.execute(EVERY_TENANT)
                await require_all_rows(connection, await tables(connection))
                await require_ledger(connection, ledger)
            done = Replayed()
            for entry in ledger.entries:
                # An event that is committed long after the begin of its transaction looks like one that was added late.
                async with connection.transaction():
                    await connection.execute(EVERY_TENANT)
                    done += await replay_entries(connection, [entry])
        finally:
            await connection.close()
        return done

    with restoring(url, Path()):
        done = asyncio.run(run())
    if place.as_json:
        print_result(entries=done.entries, known=done.known, keys=done.keys, sessions=done.sessions)
    else:
        say(done.words)


def report(tenant_id: str | None, place: Place) -> None:
    """Print what is held by tenant, the rules of retention, and the erasures. Raises Failure."""
    where = deployment(place.data_dir, place.url)

    async def work(store: ReportRepository) -> list[Held]:
        found = await store.tenants() if tenant_id is None else [tenant_id]
        idle = where.settings.session_idle_minutes * 60
        return [await store.held(one, now=time.time(), idle_seconds=idle) for one in found]

    held = _with_store(work, where.database_url)
    if place.as_json:
        print_result(
            tenants=[_members(one) for one in held],
            retention=[rule._asdict() for rule in RETENTION],
        )
        return
    for one in held:
        say(printable(one.tenant_id), style="bold")
        say(f"  sessions       {one.sessions:,}, of them {one.overdue:,} past their time-out")
        say(f"  audit events   {one.events:,}, since {_day(one.oldest_event)}")
        say(f"  data keys      {one.keys:,} of persons, {one.destroyed:,} destroyed")
        say(f"  erasures       {len(one.erasures):,}")
        for erasure in one.erasures:
            say(f"    {_day(erasure.at)}  {erasure.id}  {erasure.source}{'' if erasure.anchored else '  not anchored'}")
    say("retention", style="bold")
    for rule in RETENTION:
        say(f"  {rule.table:<28}  {rule.kept}  ({rule.by})")


def _with_store[T](work: Callable[[ReportRepository], Awaitable[T]], url: str) -> T:
    async def run() -> T:
        database = PooledDatabase(url)
        try:
            return await work(ReportRepository(database))
        finally:
            await database.dispose()

    with explained(url):
        return asyncio.run(run())


def _members(held: Held) -> dict[str, object]:
    erasures = [{**one._asdict(), "id": str(one.id)} for one in held.erasures]
    return {**held._asdict(), "erasures": erasures}


def _day(at: int | None) -> str:
    return "-" if at is None else time.strftime("%Y-%m-%d", time.gmtime(at))
