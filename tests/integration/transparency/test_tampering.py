"""Everything that a superuser of the database can do to a sealed log is found, and named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.checkpoints import sealed_checkpoint
from tenantgate.transparency.notes import public_key, sign
from tenantgate.transparency.statements import Removed, statement_detail, statement_text
from tenantgate.transparency.tree import Frontier, node_hash
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.transparency.logs import OTHER, PRIVATE, SealedLog

pytestmark = pytest.mark.anyio

HOUR = 3600.0
TABLES = ("audit_events", "audit_queue", "audit_leaves", "audit_trees", "audit_checkpoints", "audit_anchor_queue")


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(database_urls.app_url)
    yield made
    await made.dispose()


@pytest.fixture
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A superuser in a session without triggers."""
    connection = await asyncpg.connect(database_urls.admin_url)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
async def log(database: PooledDatabase) -> SealedLog:
    """A log of 9 events with checkpoints of 3, 7 and 9."""
    made = SealedLog(database, f"org-{uuid4()}")
    await made.add_and_seal(3, 4, 2)
    return made


class Attack:
    """The superuser's acts on one tenant's log."""

    def __init__(self, connection: asyncpg.Connection, log: SealedLog) -> None:
        self.connection = connection
        self.log = log

    async def run(self, statement: str, *values: object) -> None:
        """Run a statement, in which `$1` is the tenant."""
        status = await self.connection.execute(statement, self.log.tenant_id, *values)
        assert not status.endswith(" 0"), "the attack changed nothing"

    async def copy(self) -> dict[str, list[asyncpg.Record]]:
        """Return a backup of the tenant's rows."""
        return {
            table: await self.connection.fetch(f"SELECT * FROM {table} WHERE tenant_id = $1", self.log.tenant_id)
            for table in TABLES
        }

    async def restore(self, backup: dict[str, list[asyncpg.Record]]) -> None:
        """Set the tenant's rows back."""
        for table, rows in backup.items():
            await self.connection.execute(f"DELETE FROM {table} WHERE tenant_id = $1", self.log.tenant_id)
            for row in rows:
                names = ", ".join(row.keys())
                places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
                await self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())

    async def insert(self, created_at: str) -> UUID:
        """Insert a copy of the first event under another id, which was recorded at another time."""
        event_id = uuid4()
        names = "tenant_id, event_type, outcome, resource_type, resource_id, detail, occurred_at, updated_at"
        await self.run(
            f"INSERT INTO audit_events (id, created_at, {names}) SELECT $2, {created_at}, {names} FROM audit_events"
            " WHERE tenant_id = $1 AND id = $3",
            event_id,
            self.log.events[0],
        )
        return event_id


def event(number: int) -> str:
    return f"(SELECT id FROM audit_leaves WHERE tenant_id = $1 AND position = {number})"


async def change_a_row(attack: Attack) -> None:
    await attack.run(f"UPDATE audit_events SET outcome = 'failure' WHERE tenant_id = $1 AND id = {event(4)}")


async def change_a_detail(attack: Attack) -> None:
    await attack.run(f"UPDATE audit_events SET detail = '{{\"a\": 1.5}}' WHERE tenant_id = $1 AND id = {event(4)}")


async def change_a_time_to_infinity(attack: Attack) -> None:
    await attack.run(f"UPDATE audit_events SET occurred_at = 'infinity' WHERE tenant_id = $1 AND id = {event(4)}")


async def change_times_of_row_and_leaf(attack: Attack) -> None:
    for table in ("audit_events", "audit_leaves"):
        column = "created_at" if table == "audit_events" else "recorded_at"
        await attack.run(f"UPDATE {table} SET {column} = now() WHERE tenant_id = $1 AND id = {event(4)}")


async def change_the_time_of_a_leaf(attack: Attack) -> None:
    await attack.run("UPDATE audit_leaves SET recorded_at = '4000-01-01 BC' WHERE tenant_id = $1 AND position = 4")


async def delete_a_row(attack: Attack) -> None:
    await attack.run(f"DELETE FROM audit_events WHERE tenant_id = $1 AND id = {event(4)}")


async def delete_a_row_and_its_leaf(attack: Attack) -> None:
    await delete_a_row(attack)
    await attack.run("DELETE FROM audit_leaves WHERE tenant_id = $1 AND position = 4")


async def move_leaves(attack: Attack, places: int) -> None:
    """Move the leaves after the fifth. No two may have one position meanwhile."""
    await attack.run("UPDATE audit_leaves SET position = position + 1000 WHERE tenant_id = $1 AND position > 4")
    await attack.run(
        "UPDATE audit_leaves SET position = position - 1000 + $2 WHERE tenant_id = $1 AND position > 1000", places
    )


async def delete_a_row_and_close_the_gap(attack: Attack) -> None:
    await delete_a_row_and_its_leaf(attack)
    await move_leaves(attack, -1)


async def insert_without_the_queue(attack: Attack) -> None:
    await attack.insert("now() - interval '1 hour'")


async def insert_at_an_impossible_time(attack: Attack) -> None:
    await attack.insert("'-infinity'")


async def insert_in_the_future(attack: Attack) -> None:
    await attack.insert("now() + interval '30 years'")


async def insert_in_the_future_and_queue(attack: Attack) -> None:
    await seal(attack, await attack.insert("now() + interval '30 years'"))


async def insert_and_queue(attack: Attack) -> None:
    event_id = await attack.insert("now() - interval '1 hour'")
    await seal(attack, event_id)


async def seal(attack: Attack, event_id: UUID) -> None:
    """Do what the triggers do, and let the sealer work."""
    await attack.run(
        "INSERT INTO audit_queue (tenant_id, id, created_at) SELECT tenant_id, id, created_at FROM audit_events"
        " WHERE tenant_id = $1 AND id = $2",
        event_id,
    )
    await attack.log.seal()


async def insert_into_the_leaves(attack: Attack) -> None:
    event_id = await attack.insert("now()")
    await move_leaves(attack, 1)
    await attack.run(
        "INSERT INTO audit_leaves (tenant_id, id, position, leaf_hash, recorded_at)"
        " SELECT $1, $2, 5, sha256('x'), created_at FROM audit_events WHERE tenant_id = $1 AND id = $2",
        event_id,
    )


async def swap_two_rows(attack: Attack) -> None:
    four, five = attack.log.events[4:6]
    statement = "UPDATE audit_events SET id = $3 WHERE tenant_id = $1 AND id = $2"
    spare = uuid4()
    for old, new in ((four, spare), (five, four), (spare, five)):
        await attack.run(statement, old, new)


async def swap_two_leaves(attack: Attack) -> None:
    statement = "UPDATE audit_leaves SET position = {} WHERE tenant_id = $1 AND position = {}"
    for new, old in ((99, 4), (4, 5), (5, 99)):
        await attack.run(statement.format(new, old))


async def cut_off_rows_and_leaves(attack: Attack) -> None:
    await attack.run(f"DELETE FROM audit_events WHERE tenant_id = $1 AND id = {event(8)}")
    await attack.run("DELETE FROM audit_leaves WHERE tenant_id = $1 AND position = 8")


async def cut_off_everything(attack: Attack) -> None:
    """Leave exactly what the database held at the checkpoint of 7 events."""
    await attack.run(
        "DELETE FROM audit_events e USING audit_leaves l"
        " WHERE e.tenant_id = $1 AND l.tenant_id = $1 AND l.id = e.id AND l.position >= 7"
    )
    leaves = await attack.connection.fetch(
        "DELETE FROM audit_leaves WHERE tenant_id = $1 AND position >= 7 RETURNING 1", attack.log.tenant_id
    )
    assert len(leaves) == 2
    await attack.run("DELETE FROM audit_checkpoints WHERE tenant_id = $1 AND size > 7")
    rest = await attack.connection.fetch(
        "SELECT leaf_hash FROM audit_leaves WHERE tenant_id = $1 ORDER BY position", attack.log.tenant_id
    )
    tree = Frontier()
    tree.extend(row["leaf_hash"] for row in rest)
    await attack.run("UPDATE audit_trees SET size = 7, frontier = $2 WHERE tenant_id = $1", b"".join(tree.hashes))


async def restore_a_backup(attack: Attack) -> None:
    backup = await attack.copy()
    await attack.log.add_and_seal(3)
    await attack.restore(backup)


async def restore_a_backup_and_continue(attack: Attack) -> None:
    """Continue from an old state: the sealer signs another log with the same sizes."""
    await restore_a_backup(attack)
    await attack.log.add_and_seal(3)


async def remove_a_checkpoint(attack: Attack) -> None:
    await attack.run("DELETE FROM audit_checkpoints WHERE tenant_id = $1 AND size = 7")


async def remove_the_last_checkpoint_and_its_anchor(attack: Attack) -> None:
    await attack.run("DELETE FROM audit_checkpoints WHERE tenant_id = $1 AND size = 9")
    del attack.log.anchored[-1]


async def replace_a_checkpoint(attack: Attack) -> None:
    """Replace it by an older one, whose signature is right."""
    await attack.run(
        "UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE tenant_id = $1 AND size = 3)"
        " WHERE tenant_id = $1 AND size = 7"
    )


async def change_a_checkpoint(attack: Attack) -> None:
    await attack.run(
        "UPDATE audit_checkpoints SET note = replace(note, E'\\n7\\n', E'\\n8\\n') WHERE tenant_id = $1 AND size = 7"
    )


async def replace_a_checkpoint_by_another_tenants(attack: Attack) -> None:
    other = SealedLog(attack.log._database, f"org-{uuid4()}")
    await other.add_and_seal(7)
    await attack.run("UPDATE audit_checkpoints SET note = $2 WHERE tenant_id = $1 AND size = 7", other.anchored[0])


async def sign_again(attack: Attack, *, sizes: tuple[int, ...] = (3, 7, 9)) -> None:
    """Change a leaf and its row, and sign all checkpoints with another key."""
    await attack.run(
        "UPDATE audit_leaves SET leaf_hash = $2 WHERE tenant_id = $1 AND position = 4", node_hash(b"a", b"b")
    )
    rows = await attack.connection.fetch(
        "SELECT leaf_hash FROM audit_leaves WHERE tenant_id = $1 ORDER BY position", attack.log.tenant_id
    )
    tree = Frontier()
    for row in rows:
        tree.append(row["leaf_hash"])
        if tree.size in sizes:
            text = sealed_checkpoint(attack.log.origin, tree.size, tree.root(), sealed_at=1).text
            note = sign(text, attack.log.origin, OTHER)
            await attack.run(
                "UPDATE audit_checkpoints SET note = $2 WHERE tenant_id = $1 AND size = $3", note, tree.size
            )
    await attack.run("UPDATE audit_trees SET frontier = $2 WHERE tenant_id = $1", b"".join(tree.hashes))


async def keep_from_the_queue(attack: Attack) -> None:
    await attack.log.add(1)
    await attack.run("DELETE FROM audit_queue WHERE tenant_id = $1")


async def change_the_state(attack: Attack) -> None:
    await attack.run("UPDATE audit_trees SET frontier = sha256('a') || sha256('b') WHERE tenant_id = $1")


async def break_the_state(attack: Attack) -> None:
    await attack.run("UPDATE audit_trees SET frontier = '' WHERE tenant_id = $1")


async def remove_the_state(attack: Attack) -> None:
    await attack.run("DELETE FROM audit_trees WHERE tenant_id = $1")


async def remove_the_log(attack: Attack) -> None:
    for table in ("audit_events", "audit_leaves", "audit_trees", "audit_checkpoints"):
        await attack.run(f"DELETE FROM {table} WHERE tenant_id = $1")


async def never_anchor(attack: Attack) -> None:
    del attack.log.anchored[-1]


async def replace_an_anchor(attack: Attack) -> None:
    attack.log.anchored[1] = attack.log.anchored[1].replace("\n7\n", "\n8\n")


async def forge_a_retention(attack: Attack) -> None:
    await remove_by_retention(attack, OTHER, Removed(0, 2, 2**62))


async def retention_of_newer_rows(attack: Attack) -> None:
    await remove_by_retention(attack, PRIVATE, Removed(0, 2, 1))


async def remove_more_than_retention_says(attack: Attack) -> None:
    """Retention removed the rows that are older than the third one."""
    await remove_by_retention(attack, PRIVATE, Removed(0, 1, await recorded(attack, 2)))


async def recorded(attack: Attack, position: int) -> int:
    """Return the time of a leaf, in microseconds since 1970."""
    found: int = await attack.connection.fetchval(
        "SELECT (extract(epoch FROM recorded_at) * 1000000)::bigint FROM audit_leaves"
        " WHERE tenant_id = $1 AND position = $2",
        attack.log.tenant_id,
        position,
    )
    return found


async def remove_by_retention(
    attack: Attack, private: Ed25519PrivateKey, removed: Removed, *, is_sealed: bool = True
) -> None:
    """Remove the first three rows, and record that retention removed those of `removed`."""
    await attack.run(
        "DELETE FROM audit_events e USING audit_leaves l"
        " WHERE e.tenant_id = $1 AND l.tenant_id = $1 AND l.id = e.id AND l.position < 3"
    )
    await state_retention(attack, private, removed, is_sealed=is_sealed)


async def state_retention(
    attack: Attack, private: Ed25519PrivateKey, removed: Removed, *, is_sealed: bool = True
) -> None:
    """Record that retention removed rows."""
    key = public_key(attack.log.origin, private)
    signature = private.sign(statement_text(attack.log.origin, removed).encode())
    event_id = uuid4()
    await attack.run(
        "INSERT INTO audit_events (tenant_id, id, event_type, outcome, detail, occurred_at)"
        " VALUES ($1, $3, 'AUDIT_RETENTION', 'success', $2, now())",
        json.dumps(statement_detail(removed, key, signature)),
        event_id,
    )
    if is_sealed:
        await seal(attack, event_id)


ATTACKS = [
    # The attack, the kinds of its findings, the position and event of the first one.
    (change_a_row, {"row_changed"}, 4),
    (change_a_detail, {"row_changed"}, 4),
    (change_a_time_to_infinity, {"row_changed"}, 4),
    (change_times_of_row_and_leaf, {"row_changed"}, 4),
    (change_the_time_of_a_leaf, {"leaf_changed", "row_added_late"}, 4),
    (delete_a_row, {"row_removed"}, 4),
    (delete_a_row_and_its_leaf, {"leaf_removed"}, 4),
    (delete_a_row_and_close_the_gap, {"leaves_changed", "log_cut_off"}, 3),
    (insert_without_the_queue, {"row_not_sealed"}, None),
    (insert_at_an_impossible_time, {"row_not_sealed"}, None),
    (insert_in_the_future, {"row_ahead"}, None),
    (insert_in_the_future_and_queue, {"row_ahead"}, 9),
    (insert_and_queue, {"row_added_late"}, 9),
    (insert_into_the_leaves, {"row_changed", "leaves_changed", "leaves_unsigned"}, 5),
    (swap_two_rows, {"row_changed"}, 4),
    (swap_two_leaves, {"leaves_changed"}, 3),
    (cut_off_rows_and_leaves, {"log_cut_off"}, 8),
    (cut_off_everything, {"checkpoint_removed", "log_cut_off"}, 8),
    (restore_a_backup, {"checkpoint_removed", "log_cut_off"}, 11),
    (restore_a_backup_and_continue, {"checkpoint_replaced"}, 11),
    (remove_a_checkpoint, {"checkpoint_removed"}, 6),
    (remove_the_last_checkpoint_and_its_anchor, {"leaves_unsigned"}, 7),
    (replace_a_checkpoint, {"checkpoint_replaced"}, 2),
    (change_a_checkpoint, {"checkpoint_forged"}, 6),
    (replace_a_checkpoint_by_another_tenants, {"checkpoint_forged"}, 6),
    (sign_again, {"checkpoint_forged", "row_changed", "leaves_changed"}, 2),
    (keep_from_the_queue, {"row_not_sealed"}, None),
    (change_the_state, {"state_changed"}, 8),
    (break_the_state, {"state_changed"}, None),
    (remove_the_state, {"state_changed"}, None),
    (remove_the_log, {"checkpoint_removed", "log_cut_off"}, 2),
    (never_anchor, {"checkpoint_unanchored"}, 8),
    (replace_an_anchor, {"anchor_forged", "checkpoint_unanchored"}, None),
    (forge_a_retention, {"retention_forged", "row_removed"}, None),
    (retention_of_newer_rows, {"row_removed"}, 0),
    (remove_more_than_retention_says, {"row_removed"}, 2),
]


@pytest.mark.parametrize(("attack", "wrong", "position"), ATTACKS, ids=[attack.__name__ for attack, *_ in ATTACKS])
async def test_tampering_is_found_and_named(
    attack: Callable[[Attack], Awaitable[None]],
    wrong: set[str],
    position: int | None,
    log: SealedLog,
    superuser: asyncpg.Connection,
) -> None:
    assert (await log.verify(later=HOUR)).findings == []
    await attack(Attack(superuser, log))
    result = await log.verify(later=HOUR)
    assert {finding.wrong for finding in result.findings} == wrong
    assert result.findings[0].position == position
    named = result.findings[0].event_id
    if named is not None and position is not None and attack is not insert_into_the_leaves:
        assert named == str(log.events[position])


async def test_of_removed_rows_only_those_without_retention_are_named(
    log: SealedLog, superuser: asyncpg.Connection
) -> None:
    attack = Attack(superuser, log)
    await remove_more_than_retention_says(attack)
    result = await log.verify()
    assert (result.removed, [(one.position, one.text) for one in result.findings]) == (
        2,
        [(2, "the events of position 2 were removed, and no retention signed for it")],
    )
    # Not next to them, and two at once.
    await attack.run(f"DELETE FROM audit_events WHERE tenant_id = $1 AND id IN ({event(5)}, {event(6)})")
    result = await log.verify()
    assert (result.removed, [(one.position, one.event_id) for one in result.findings]) == (
        2,
        [(position, str(log.events[position])) for position in (2, 5)],
    )
    assert "positions 5 to 6 were removed" in result.findings[1].text


async def test_several_retentions_cover_rows_together(log: SealedLog, superuser: asyncpg.Connection) -> None:
    """Retention may run with a longer time later: then the rows of an earlier run are newer than it says."""
    attack = Attack(superuser, log)
    await remove_by_retention(attack, PRIVATE, Removed(0, 1, await recorded(attack, 2)))
    # A row that was recorded earlier than its place says.
    await attack.run("UPDATE audit_leaves SET recorded_at = 'epoch' WHERE tenant_id = $1 AND position = 2")
    assert [one.position for one in (await log.verify()).findings] == [2]
    await state_retention(attack, PRIVATE, Removed(0, 2, 1))
    result = await log.verify()
    assert (result.findings, result.removed) == ([], 3)


@pytest.mark.parametrize("is_sealed", [True, False])
async def test_signed_retention_is_accepted(log: SealedLog, superuser: asyncpg.Connection, is_sealed: bool) -> None:
    await remove_by_retention(Attack(superuser, log), PRIVATE, Removed(0, 2, 2**62), is_sealed=is_sealed)
    result = await log.verify()
    assert (result.findings, result.events, result.removed, result.unsealed) == ([], 9 + is_sealed, 3, 1 - is_sealed)


async def test_a_later_retention_replaces_the_earlier_one(log: SealedLog, superuser: asyncpg.Connection) -> None:
    attack = Attack(superuser, log)
    await remove_by_retention(attack, PRIVATE, Removed(0, 2, 2**62))
    await attack.run("DELETE FROM audit_events WHERE tenant_id = $1 AND event_type = 'AUDIT_RETENTION'")
    await attack.run(f"DELETE FROM audit_events WHERE tenant_id = $1 AND id = {event(3)}")
    assert {finding.wrong for finding in (await log.verify()).findings} == {"row_removed"}
    # Rows that the earlier one removed are gone already: the statement deletes the rest.
    await superuser.execute("DELETE FROM audit_events WHERE tenant_id = $1", log.tenant_id)
    await attack.log.add_and_seal(1)
    key = public_key(log.origin, PRIVATE)
    removed = Removed(0, 9, 2**62)
    signature = PRIVATE.sign(statement_text(log.origin, removed).encode())
    await attack.run(
        "INSERT INTO audit_events (tenant_id, event_type, outcome, detail, occurred_at)"
        " VALUES ($1, 'AUDIT_RETENTION', 'success', $2, now())",
        json.dumps(statement_detail(removed, key, signature)),
    )
    result = await log.verify()
    assert (result.findings, result.removed) == ([], 10)


async def test_new_events_and_late_commits_are_accepted(log: SealedLog) -> None:
    # One of them waits when the next checkpoint is made, as one does whose transaction is still open.
    await log.add(2)
    result = await log.verify()
    assert (result.findings, result.unsealed, result.events, result.checkpoints, result.anchored) == ([], 2, 9, 3, 3)
    await log.seal()
    assert (await log.verify(later=HOUR)).findings == []


async def test_a_log_may_grow_while_it_is_verified(log: SealedLog) -> None:
    async def grow() -> None:
        for _ in range(10):
            await log.add_and_seal(1)

    growing = asyncio.create_task(grow())
    results = []
    while not growing.done():
        # Its anchors are those of the beginning: the checkpoints after them are new.
        results.append(await log.verify())
    await growing
    assert [result.findings for result in results if result.findings] == []
    assert (await log.verify()).events == 19


async def test_without_anchors_a_log_that_was_cut_off_looks_whole(
    log: SealedLog, superuser: asyncpg.Connection
) -> None:
    await cut_off_everything(Attack(superuser, log))
    assert (await log.verify(with_anchors=False, later=HOUR)).findings == []


async def test_a_tenant_without_events_has_nothing_wrong(database: PooledDatabase) -> None:
    result = await SealedLog(database, f"org-{uuid4()}").verify(later=HOUR)
    assert (result.findings, result.events) == ([], 0)


@pytest.mark.parametrize(
    ("statements", "wrong"),
    [
        pytest.param(
            [
                "ALTER TABLE audit_leaves DROP CONSTRAINT audit_leaves_position_check",
                "INSERT INTO audit_leaves (tenant_id, id, position, leaf_hash, recorded_at)"  # noqa: ISC004
                " SELECT tenant_id, id, -1, sha256('x'), created_at FROM new_event",
            ],
            "leaf_changed",
            id="a-leaf-before-the-log",
        ),
        pytest.param(
            [
                "ALTER TABLE audit_checkpoints ALTER COLUMN note DROP NOT NULL",
                "UPDATE audit_checkpoints SET note = NULL WHERE size = 7",
            ],
            "log_unreadable",
            id="a-checkpoint-without-a-note",
        ),
        pytest.param(
            [
                "ALTER TABLE audit_leaves ALTER COLUMN leaf_hash DROP NOT NULL",
                "UPDATE audit_leaves SET leaf_hash = NULL WHERE position = 4",
            ],
            "log_unreadable",
            id="a-leaf-without-a-hash",
        ),
    ],
)
async def test_without_the_constraints_tampering_is_found_too(
    statements: list[str], wrong: str, postgres_server: PostgresServer
) -> None:
    urls = await asyncio.to_thread(postgres_server.create_database)
    database = PooledDatabase(urls.app_url)
    superuser = await asyncpg.connect(urls.admin_url)
    try:
        log = SealedLog(database, f"org-{uuid4()}")
        await log.add_and_seal(3, 4, 2)
        await superuser.execute("SET session_replication_role = replica")
        event_id = await Attack(superuser, log).insert("now()")
        await superuser.execute(
            f"CREATE TEMPORARY TABLE new_event AS SELECT * FROM audit_events WHERE id = '{event_id}'"
        )
        for statement in statements:
            await superuser.execute(statement)
        result = await log.verify()
        assert wrong in {finding.wrong for finding in result.findings}
    finally:
        await superuser.close()
        await database.dispose()
        await asyncio.to_thread(postgres_server.drop_database, urls)
