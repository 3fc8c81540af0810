"""Retention as the owner of the tables: what it removes, what stays, and its signed statement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import StatementRefused
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.errors import LogBroken, NoteUnsigned
from tenantgate.transparency.notes import VerifierKey
from tenantgate.transparency.removal import Retention
from tenantgate.transparency.statements import Removed, open_statement
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.transparency.sealing import origin, sealer, signing_keys

pytestmark = pytest.mark.anyio
OLD = timedelta(days=400)
CUTOFF = timedelta(days=365)


@pytest.fixture
async def urls(postgres_server: PostgresServer) -> AsyncIterator[DatabaseUrls]:
    made = await asyncio.to_thread(postgres_server.create_database)
    yield made
    await asyncio.to_thread(postgres_server.drop_database, made)


@pytest.fixture
async def owner(urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(urls.owner_url)
    yield made
    await made.dispose()


@pytest.fixture
async def application(urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(urls.app_url)
    yield made
    await made.dispose()


@pytest.fixture
def tenant_id() -> str:
    return f"org-{uuid4()}"


async def add(urls: DatabaseUrls, tenant_id: str, ages: Sequence[timedelta]) -> None:
    """Add events of these ages. Only the owner of the tables can add an old one."""
    connection = await asyncpg.connect(urls.admin_url)
    for age in ages:
        await connection.execute(
            "INSERT INTO audit_events (tenant_id, event_type, outcome, detail, occurred_at, created_at)"
            " VALUES ($1, 'TENANT_CHANGED', 'success', '{}', now(), now() - $2::interval)",
            tenant_id,
            age,
        )
    await connection.close()


async def left(urls: DatabaseUrls, tenant_id: str) -> list[dict[str, Any]]:
    """Return the leaves in their order, each with the type and detail of its event, None if that was removed."""
    connection = await asyncpg.connect(urls.admin_url)
    rows = await connection.fetch(
        "SELECT l.position, e.event_type, e.detail FROM audit_leaves l LEFT JOIN audit_events e USING (tenant_id, id)"
        " WHERE l.tenant_id = $1 ORDER BY position",
        tenant_id,
    )
    await connection.close()
    return [dict(row) for row in rows]


async def test_old_sealed_events_go_and_their_leaves_and_a_signed_statement_stay(
    owner: PooledDatabase, application: PooledDatabase, urls: DatabaseUrls, tenant_id: str, tmp_path: Path
) -> None:
    day = timedelta(days=1)
    await add(urls, tenant_id, [OLD, OLD - day, OLD - 2 * day, day])
    await sealer(application, FolderAnchors(tmp_path)).run()
    # It isn't sealed yet: it stays, although it is old.
    await add(urls, tenant_id, [OLD])
    retention = Retention(owner, signing_keys(), step=2)
    before = datetime.now(UTC) - CUTOFF
    assert await retention.apply(tenant_id, before=before) == 3
    assert await retention.apply(tenant_id, before=before) == 0
    await sealer(application, FolderAnchors(tmp_path)).run()
    rows = await left(urls, tenant_id)
    assert [row["event_type"] for row in rows[:5]] == [None, None, None, "TENANT_CHANGED", "TENANT_CHANGED"]
    statements = [row["detail"] for row in rows[5:]]
    assert [row["event_type"] for row in rows[5:]] == ["AUDIT_RETENTION"] * len(statements)
    keys = [VerifierKey(origin(tenant_id), key) for key in await signing_keys().public_keys()]
    removed = open_statement(Removed, statements[-1], keys)
    assert (removed.first, removed.last) == (0, 2)
    assert abs(removed.before / 1e6 - before.timestamp()) < 1e-3
    # Of this log only: no other one's key accepts it.
    with pytest.raises(NoteUnsigned):
        open_statement(Removed, statements[-1], [VerifierKey(origin("another"), keys[0].public_key)])


async def test_only_the_beginning_of_a_log_is_removed(
    owner: PooledDatabase, application: PooledDatabase, urls: DatabaseUrls, tenant_id: str, tmp_path: Path
) -> None:
    await add(urls, tenant_id, [OLD])
    await sealer(application, FolderAnchors(tmp_path)).run()
    for age in (timedelta(), OLD):
        await add(urls, tenant_id, [age])
        await sealer(application, FolderAnchors(tmp_path)).run()
    assert await Retention(owner, signing_keys()).apply(tenant_id, before=datetime.now(UTC) - CUTOFF) == 1
    assert [row["event_type"] for row in await left(urls, tenant_id)] == [None, "TENANT_CHANGED", "TENANT_CHANGED"]


async def test_another_tenants_events_stay(
    owner: PooledDatabase, application: PooledDatabase, urls: DatabaseUrls, tenant_id: str, tmp_path: Path
) -> None:
    other = f"org-{uuid4()}"
    for one in (tenant_id, other):
        await add(urls, one, [OLD])
    await sealer(application, FolderAnchors(tmp_path)).run()
    assert await Retention(owner, signing_keys()).apply(tenant_id, before=datetime.now(UTC)) == 1
    assert [row["event_type"] for row in await left(urls, other)] == ["TENANT_CHANGED"]
    assert await Retention(owner, signing_keys()).apply("without-a-log", before=datetime.now(UTC)) == 0


async def test_nothing_is_removed_without_the_keys_of_the_log(
    owner: PooledDatabase, application: PooledDatabase, urls: DatabaseUrls, tenant_id: str, tmp_path: Path
) -> None:
    await add(urls, tenant_id, [OLD])
    await sealer(application, FolderAnchors(tmp_path)).run()
    with pytest.raises(LogBroken):
        await Retention(owner, signing_keys(new_sealing_key())).apply(tenant_id, before=datetime.now(UTC))
    assert [row["event_type"] for row in await left(urls, tenant_id)] == ["TENANT_CHANGED"]


async def test_the_applications_login_removes_nothing(
    application: PooledDatabase, urls: DatabaseUrls, tenant_id: str, tmp_path: Path
) -> None:
    await add(urls, tenant_id, [OLD])
    await sealer(application, FolderAnchors(tmp_path)).run()
    with pytest.raises(StatementRefused):
        await Retention(application, signing_keys()).apply(tenant_id, before=datetime.now(UTC))
    assert [row["event_type"] for row in await left(urls, tenant_id)] == ["TENANT_CHANGED"]


async def test_a_statement_is_an_event_like_any_other(owner: PooledDatabase, tenant_id: str) -> None:
    """Its signature fits into the detail."""
    detail = {"first": 0, "last": 1, "before": 2, "signature": "x" * 92}
    event = Event("AUDIT_RETENTION", tenant_id, resource_type="audit_events", detail=detail)
    async with owner.tenant(tenant_id) as unit:
        await record(unit, event.stored(None))
    assert json.loads(event.stored(None).detail) == detail
