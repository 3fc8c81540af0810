"""The sealer with PostgreSQL and a folder: what it seals, what it refuses to continue, kills, and several at once."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tenantgate.audit.repository import EventRepository, record
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.anchors.objects import read_checkpoints
from tenantgate.transparency.checkpoints import log_origin
from tenantgate.transparency.errors import AnchorUnavailable, LogBroken
from tenantgate.transparency.leaves import leaf_data
from tenantgate.transparency.models import UNSEALED_WINDOW_SECONDS
from tenantgate.transparency.repository import LEAF_COLUMNS, LogRepository
from tenantgate.transparency.tree import leaf_hash, tree_root
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.transparency import sealing
from tests.fixtures.transparency.sealing import KEY, anchored, sealer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def urls(postgres_server: PostgresServer) -> AsyncIterator[DatabaseUrls]:
    made = await asyncio.to_thread(postgres_server.create_database)
    yield made
    await asyncio.to_thread(postgres_server.drop_database, made)


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(urls.app_url)
    yield made
    await made.dispose()


@pytest.fixture
def anchors(tmp_path: Path) -> FolderAnchors:
    return FolderAnchors(tmp_path / "anchors")


@pytest.fixture
def tenants() -> list[str]:
    return [f"org-{uuid4()}" for _ in range(3)]


async def add(database: PooledDatabase, tenants: Sequence[str], each: int = 1) -> None:
    for tenant_id in tenants:
        async with database.tenant(tenant_id) as unit:
            await record(unit, *(any_event(tenant_id) for _ in range(each)))


async def leaves_of(urls: DatabaseUrls, tenant_id: str) -> list[bytes]:
    """Return the leaf hashes by position, each of which must be that of its stored row."""
    connection = await asyncpg.connect(urls.admin_url)
    try:
        rows = await connection.fetch(
            f"SELECT l.position, l.leaf_hash, {LEAF_COLUMNS} FROM audit_leaves l"
            " JOIN audit_events e USING (tenant_id, id) WHERE l.tenant_id = $1 ORDER BY position",
            tenant_id,
        )
        events = await connection.fetchval("SELECT count(*) FROM audit_events WHERE tenant_id = $1", tenant_id)
    finally:
        await connection.close()
    assert [row["position"] for row in rows] == list(range(len(rows)))
    assert [row["leaf_hash"] for row in rows] == [leaf_hash(leaf_data(row)) for row in rows]
    assert len(rows) == events
    return [row["leaf_hash"] for row in rows]


async def require_whole(urls: DatabaseUrls, anchors: FolderAnchors, tenants: Sequence[str]) -> None:
    """Require that every event is sealed once, and that every anchored checkpoint has the root of its leaves."""
    for tenant_id in tenants:
        leaves = await leaves_of(urls, tenant_id)
        checkpoints = {one.size: one for one in await anchored(anchors, tenant_id)}
        assert max(checkpoints) == len(leaves)
        assert {size: one.root for size, one in checkpoints.items()} == {
            size: tree_root(leaves[:size]) for size in checkpoints
        }


async def execute(url: str, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT set_config('tenantgate.tenant_id', $1, false)", values[0] if values else "")
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def test_every_event_is_sealed_in_batches_and_anchored(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    await add(database, tenants, 3)
    await add(database, tenants[:1], 4)
    done = await sealer(database, anchors, batch=2, at_once=2).run()
    assert (done.tenants, done.events, done.checkpoints, done.anchored) == (3, 13, 8, 8)
    await require_whole(urls, anchors, tenants)
    # Nothing waits: a run with nothing to do writes nothing.
    objects = await anchors.names("")
    idle = await sealer(database, anchors).run()
    assert not any((idle.tenants, idle.events, idle.checkpoints, idle.anchored))
    assert await anchors.names("") == objects
    assert (await LogRepository(database).queue()).unsealed_tenants == 0


async def test_a_checkpoint_says_up_to_when_no_event_is_missing(
    database: PooledDatabase, anchors: FolderAnchors, tenants: list[str]
) -> None:
    (tenant_id, *_) = tenants
    await add(database, [tenant_id])
    await add(database, [tenant_id])
    before = datetime.now(UTC).timestamp()
    await sealer(database, anchors, batch=1).run()
    first, second, *rest = await anchored(anchors, tenant_id)
    assert rest == []
    assert first.sealed_at is not None
    assert second.sealed_at is not None
    # The first one leaves the second event in the queue, and doesn't count it as late.
    assert first.sealed_at < before * 1e6
    assert first.sealed_at < second.sealed_at < datetime.now(UTC).timestamp() * 1e6
    assert UNSEALED_WINDOW_SECONDS > 240


async def test_a_log_continues_with_new_keys_and_another_address(
    database: PooledDatabase, anchors: FolderAnchors, tenants: list[str]
) -> None:
    (tenant_id, *_) = tenants
    new = new_sealing_key()
    for keys, host in (((KEY,), "1.example"), ((new, KEY), "2.example")):
        await add(database, [tenant_id])
        await sealer(database, anchors, *keys, origin=partial(log_origin, host)).run()
    notes = [one for one in await _notes(anchors) if tenant_id in one]
    assert [note.split("\n")[0] for note in notes] == [f"1.example/audit/{tenant_id}"] * 2
    # Without the old key, its checkpoint isn't known to be one.
    await add(database, [tenant_id])
    with pytest.raises(LogBroken):
        await sealer(database, anchors, new_sealing_key()).run()


async def _notes(anchors: FolderAnchors) -> list[str]:
    found = [read_checkpoints(await anchors.get(name)) for name in await anchors.names("checkpoints/")]
    return list(itertools.chain(*found))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE audit_trees SET frontier = sha256(frontier) WHERE tenant_id = $1", id="another frontier"),
        pytest.param("UPDATE audit_trees SET size = 2 WHERE tenant_id = $1", id="another size"),
        pytest.param("UPDATE audit_trees SET size = 3 WHERE tenant_id = $1", id="a size with more hashes"),
        pytest.param("UPDATE audit_trees SET frontier = '' WHERE tenant_id = $1", id="no frontier"),
        pytest.param("UPDATE audit_trees SET size = 0, frontier = '' WHERE tenant_id = $1", id="from the beginning"),
        pytest.param(
            "INSERT INTO audit_leaves (tenant_id, id, position, leaf_hash, recorded_at)"
            " VALUES ($1, gen_random_uuid(), 1, sha256(''), now())",
            id="a leaf at the next position",
        ),
    ],
)
async def test_the_applications_login_gets_no_signature_for_another_log(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str], statement: str
) -> None:
    tenant_id, other, _ = tenants
    await add(database, [tenant_id])
    await sealer(database, anchors).run()
    await execute(urls.app_url, statement, tenant_id)
    await add(database, [tenant_id, other])
    with pytest.raises(LogBroken):
        await sealer(database, anchors).run()
    # The log isn't continued; the other tenants' are.
    assert [one.size for one in await anchored(anchors, tenant_id)] == [1]
    assert [one.size for one in await anchored(anchors, other)] == [1]


@pytest.mark.parametrize("time", ["2099-01-01", "1990-01-01", "4000-01-01 BC", "infinity", "-infinity"])
async def test_no_time_is_signed_that_an_event_doesnt_have(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str], time: str
) -> None:
    tenant_id, other, _ = tenants
    await add(database, [tenant_id, other])
    await execute(urls.app_url, "DELETE FROM audit_queue WHERE tenant_id = $1", tenant_id)
    await execute(
        urls.app_url,
        f"INSERT INTO audit_queue (tenant_id, id, created_at) SELECT tenant_id, id, '{time}' FROM audit_events"
        " WHERE tenant_id = $1",
        tenant_id,
    )
    with pytest.raises(LogBroken):
        await sealer(database, anchors).run()
    assert await anchored(anchors, tenant_id) == []
    assert [one.size for one in await anchored(anchors, other)] == [1]
    assert (await LogRepository(database).queue()).unsealed_tenants == 1


async def test_queued_ids_without_events_give_no_checkpoint_another_time(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    (tenant_id, *_) = tenants
    await add(database, [tenant_id])
    await execute(
        urls.app_url,
        "INSERT INTO audit_queue (tenant_id, id, created_at)"
        " SELECT $1, gen_random_uuid(), '2099-01-01' FROM generate_series(1, 9)",
        tenant_id,
    )
    done = await sealer(database, anchors, batch=5).run()
    assert (done.events, done.missing) == (1, 9)
    (checkpoint,) = await anchored(anchors, tenant_id)
    assert checkpoint.sealed_at is not None
    assert checkpoint.signed_at is not None
    assert checkpoint.sealed_at < checkpoint.signed_at < (datetime.now(UTC).timestamp() + 60) * 1_000_000


async def test_a_checkpoint_that_doesnt_verify_is_never_anchored(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    tenant_id, other, _ = tenants
    await add(database, [other])
    await sealer(database, anchors).run()
    (genuine,) = await _notes(anchors)
    for size, note in enumerate((genuine, genuine.replace(other, tenant_id), "x/audit/\n1\n\n"), start=1):
        await execute(
            urls.app_url,
            "WITH forged AS (INSERT INTO audit_checkpoints (tenant_id, id, size, note)"
            " VALUES ($1, gen_random_uuid(), $2, $3) RETURNING id)"
            " INSERT INTO audit_anchor_queue (tenant_id, id) SELECT $1, id FROM forged",
            tenant_id,
            size,
            note,
        )
    with pytest.raises(LogBroken):
        await sealer(database, anchors).run()
    assert await _notes(anchors) == [genuine]
    assert (await LogRepository(database).queue()).unanchored == 0


async def test_a_checkpoint_of_another_tenant_doesnt_count(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    victim, attacker, _ = tenants
    await add(database, [victim])
    await sealer(database, anchors).run()
    (note,) = await _notes(anchors)
    (hashes,) = await leaves_of(urls, victim)
    await add(database, [attacker])
    await execute(
        urls.app_url,
        "WITH tree AS (INSERT INTO audit_trees (tenant_id, size, frontier) VALUES ($1, 1, $2))"
        " INSERT INTO audit_checkpoints (tenant_id, size, note) VALUES ($1, 1, $3)",
        attacker,
        hashes,
        note,
    )
    with pytest.raises(LogBroken):
        await sealer(database, anchors).run()


async def test_an_event_removed_before_it_is_sealed_is_logged_and_the_others_are_sealed(
    database: PooledDatabase,
    urls: DatabaseUrls,
    anchors: FolderAnchors,
    tenants: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tenant_id, *_) = tenants
    gone = any_event(tenant_id)
    await EventRepository(database).add(gone)
    await add(database, [tenant_id], 2)
    connection = await asyncpg.connect(urls.admin_url)
    await connection.execute("SELECT set_config('tenantgate.audit_retention', 'on', false)")
    await connection.execute("DELETE FROM audit_events WHERE id = $1", gone.id)
    await connection.close()
    with caplog.at_level(logging.ERROR):
        done = await sealer(database, anchors).run()
    assert (done.events, done.missing) == (2, 1)
    assert any(str(gone.id) in str(getattr(line, "context", "")) for line in caplog.records)
    await require_whole(urls, anchors, [tenant_id])


async def test_an_event_that_is_queued_again_is_sealed_once(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    (tenant_id, *_) = tenants
    await add(database, [tenant_id], 2)
    await sealer(database, anchors).run()
    await execute(
        urls.app_url,
        "INSERT INTO audit_queue (tenant_id, id) SELECT tenant_id, id FROM audit_events WHERE tenant_id = $1",
        tenant_id,
    )
    assert (await sealer(database, anchors).run()).events == 0
    await add(database, [tenant_id])
    assert (await sealer(database, anchors).run()).events == 1
    await require_whole(urls, anchors, [tenant_id])


class Unreachable(FolderAnchors):
    async def put(self, name: str, content: bytes) -> None:
        raise AnchorUnavailable("down")


async def test_checkpoints_that_werent_anchored_are_anchored_later(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str], tmp_path: Path
) -> None:
    await add(database, tenants)
    with pytest.raises(AnchorUnavailable):
        await sealer(database, Unreachable(tmp_path)).run()
    # A deployment without anchors keeps them for the time when it has some.
    await add(database, tenants)
    assert (await sealer(database, None).run()).anchored == 0
    assert (await LogRepository(database).queue()).unanchored == 6
    done = await sealer(database, anchors).run()
    assert (done.checkpoints, done.anchored) == (0, 6)
    await require_whole(urls, anchors, tenants)
    assert (await LogRepository(database).queue()).unanchored == 0


async def test_a_run_ends_when_its_time_is_over_and_the_next_one_continues(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    await add(database, tenants, 3)
    times = itertools.count()
    done = await sealer(database, anchors, batch=1, seconds=4, clock=lambda: next(times)).run()
    assert done.events == 3
    assert (await sealer(database, anchors).run()).events == 6
    await require_whole(urls, anchors, tenants)


async def test_several_sealers_at_once_seal_each_event_once(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str]
) -> None:
    databases = [PooledDatabase(urls.app_url) for _ in range(4)]
    try:
        for _ in range(3):
            await add(database, tenants, 20)
            runs = [sealer(one, anchors, batch=7, at_once=2).run() for one in databases]
            done = await asyncio.gather(*runs, add(database, tenants, 5))
            assert sum(one.broken for one in done if one is not None) == 0
        await sealer(database, anchors).run()
    finally:
        for one in databases:
            await one.dispose()
    await require_whole(urls, anchors, tenants)


async def test_a_killed_sealer_leaves_a_state_from_which_the_next_one_continues(
    database: PooledDatabase, urls: DatabaseUrls, anchors: FolderAnchors, tenants: list[str], tmp_path: Path
) -> None:
    """Killed by SIGKILL at random moments while it works, eight times."""
    chance = random.Random(13)
    command = [sys.executable, "-m", sealing.__name__, urls.app_url, str(tmp_path / "anchors")]
    for _ in range(8):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        stdout: Any = process.stdout
        await add(database, tenants, 60)
        async with asyncio.timeout(30):
            assert await stdout.readline() == b"sealed\n"
        await asyncio.sleep(chance.uniform(0, 0.05))
        process.kill()
        await process.wait()
    await sealer(database, anchors).run()
    await require_whole(urls, anchors, tenants)
    assert sum([len(await leaves_of(urls, tenant_id)) for tenant_id in tenants]) == 8 * 3 * 60
