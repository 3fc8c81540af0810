"""The sealer's statements name a row that was added late to a quiet log, and accuse no other one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from tenantgate.audit.models import Event
from tenantgate.audit.repository import EventRepository
from tenantgate.database.pool import PooledDatabase
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.checkpoints import log_origin
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.statements import SealedThrough
from tenantgate.transparency.stating import state_sealed
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.sealed import read_statements
from tenantgate.transparency.verification.tasks import log_verifier, read_anchors
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.transparency.sealing import KEY, origin, sealer, signing_keys

pytestmark = pytest.mark.anyio

OTHER_KEY = "A5pEbVfWkQn8cJ2mT0sRzLxGhDaUiOw3eN7vKqB4yH0"


class Deployment:
    """A deployment with its sealer and its superuser. `wrong` verifies one of its logs."""

    def __init__(self, database: PooledDatabase, superuser: asyncpg.Connection, anchors: FolderAnchors) -> None:
        self.database = database
        self.superuser = superuser
        self.anchors = anchors
        self.tenant_id = f"org-{uuid4()}"

    async def seal(self, *keys: str, batch: int = 2000) -> None:
        await sealer(self.database, self.anchors, *keys, batch=batch).run()

    async def state(self, *keys: str, named: Callable[[str], str] = origin) -> bool:
        return await state_sealed(self.database, signing_keys(*keys), named)

    async def add(self, tenant_id: str | None = None) -> None:
        await EventRepository(self.database).add(any_event(tenant_id or self.tenant_id))

    async def insert(self, age: str, *, tenant_id: str | None = None, detail: str = "{}") -> UUID:
        """Insert an event with an older time as the superuser, and queue it for the sealer."""
        event_id, tenant = uuid4(), tenant_id or self.tenant_id
        await self.superuser.execute(
            "INSERT INTO audit_events (id, tenant_id, event_type, outcome, resource_type, detail, occurred_at,"
            " created_at, updated_at) SELECT $1, $2, $3, 'success', $4, $5, moment, moment, moment"
            f" FROM (SELECT now() - interval '{age}') AS given (moment)",
            event_id,
            tenant,
            "AUDIT_SEALED" if tenant == DEPLOYMENT else "AUTH_LOGOUT",
            "audit_events" if tenant == DEPLOYMENT else "session",
            detail,
        )
        await self.superuser.execute(
            "INSERT INTO audit_queue (tenant_id, id, created_at) SELECT tenant_id, id, created_at FROM audit_events"
            " WHERE id = $1",
            event_id,
        )
        return event_id

    async def wrong(self, tenant_id: str | None = None, *keys: str) -> list[tuple[str, int | None, str | None]]:
        known = LogKeys(await signing_keys(*keys).public_keys())
        verifier = await log_verifier(LogPages(self.database), known, await read_anchors(self.anchors, known))
        result = await verifier.verify(tenant_id or self.tenant_id)
        return [(one.wrong, one.position, one.event_id) for one in result.findings]

    async def statements(self) -> list[str]:
        return [
            row["detail"]
            for row in await self.superuser.fetch(
                "SELECT detail::text FROM audit_events WHERE tenant_id = $1 AND event_type = 'AUDIT_SEALED'"
                " ORDER BY created_at, id",
                DEPLOYMENT,
            )
        ]


@pytest.fixture
def urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


@pytest.fixture
async def deployed(urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Deployment]:
    database, superuser = PooledDatabase(urls.app_url), await asyncpg.connect(urls.admin_url)
    await superuser.execute("SET session_replication_role = replica")
    yield Deployment(database, superuser, FolderAnchors(tmp_path / "anchors"))
    await superuser.close()
    await database.dispose()


@pytest.mark.parametrize("rows", [1, 2, 5])
async def test_a_row_that_was_added_late_to_a_quiet_log_is_named(deployed: Deployment, rows: int) -> None:
    """Also when so many were added that the checkpoint's `sealed-at` is that of the newest of them."""
    assert await deployed.state()
    added = [await deployed.insert(f"{60 - number} min") for number in range(rows)]
    await deployed.seal(batch=2)
    wrong = await deployed.wrong()
    assert wrong[0] == ("row_added_late", 0, str(added[0]))
    assert {one for one, *_ in wrong} == {"row_added_late"}
    assert await deployed.wrong(DEPLOYMENT) == []


async def test_events_that_waited_while_the_sealer_was_away_are_not_named(deployed: Deployment) -> None:
    await deployed.seal()
    for minutes in (60, 59, 10):
        await deployed.insert(f"{minutes} min")
    # It would be wrong to state then that everything is sealed.
    assert not await deployed.state()
    await deployed.seal(batch=2)
    assert await deployed.state()
    await deployed.add()
    await deployed.seal()
    assert await deployed.wrong() == []
    assert len(await deployed.statements()) == 1


async def test_an_event_that_is_being_sealed_still_waits(deployed: Deployment, urls: DatabaseUrls) -> None:
    """Its leaf may have a later time than the statement."""
    await deployed.insert("10 min")
    connection = await asyncpg.connect(urls.admin_url)
    async with connection.transaction():
        await connection.execute("DELETE FROM audit_queue")
        assert not await deployed.state()
    await connection.close()
    assert await deployed.state()


async def test_new_events_do_not_keep_the_statement_from_being_made(deployed: Deployment) -> None:
    await deployed.add()
    assert await deployed.state()
    (detail,) = map(json.loads, await deployed.statements())
    assert detail["at"] - detail["through"] == pytest.approx(300e6, abs=5e6)
    await deployed.seal()
    assert await deployed.wrong() == []
    assert await deployed.wrong(DEPLOYMENT) == []


async def forged(deployed: Deployment) -> UUID:
    """The application's login may add events to any log that its transaction enters."""
    detail = {"at": 2**52, "through": 2**52, "signature": "A" * 88 + "AAA="}
    event = Event("AUDIT_SEALED", DEPLOYMENT, resource_type="audit_events", detail=detail)
    await EventRepository(deployed.database).add(event.stored(None))
    return event.id


async def repeated(deployed: Deployment) -> UUID:
    (genuine,) = await deployed.statements()
    return await deployed.insert("-10 min", tenant_id=DEPLOYMENT, detail=genuine)


async def changed(deployed: Deployment) -> UUID:
    (genuine,) = await deployed.statements()
    detail = json.loads(genuine)
    return await deployed.insert(
        "0 min", tenant_id=DEPLOYMENT, detail=json.dumps(detail | {"through": detail["at"] + 10**9})
    )


async def malformed(deployed: Deployment) -> UUID:
    return await deployed.insert("0 min", tenant_id=DEPLOYMENT, detail='{"at": "1", "through": null}')


async def of_another_deployment(deployed: Deployment) -> UUID:
    await deployed.state(OTHER_KEY)
    *_, newest = await deployed.statements()
    return UUID(await deployed.superuser.fetchval("SELECT id::text FROM audit_events WHERE detail = $1::jsonb", newest))


@pytest.mark.parametrize("forge", [forged, repeated, changed, malformed, of_another_deployment])
async def test_a_forged_statement_is_named_and_accuses_no_event(
    deployed: Deployment, forge: Callable[[Deployment], Awaitable[UUID]]
) -> None:
    await deployed.add(DEPLOYMENT)
    await deployed.seal()
    assert await deployed.state()
    event_id = await forge(deployed)
    await deployed.add()
    await deployed.seal()
    assert ("statement_forged", None, str(event_id)) in await deployed.wrong(DEPLOYMENT)
    assert await deployed.wrong() == []


async def test_removing_the_statement_is_named(deployed: Deployment) -> None:
    assert await deployed.state()
    await deployed.seal()
    await deployed.superuser.execute("DELETE FROM audit_events WHERE event_type = 'AUDIT_SEALED'")
    await deployed.insert("60 min")
    await deployed.seal()
    assert [wrong for wrong, *_ in await deployed.wrong(DEPLOYMENT)] == ["row_removed"]


async def test_the_log_keeps_its_name_when_the_address_changes(deployed: Deployment) -> None:
    await deployed.add(DEPLOYMENT)
    await deployed.seal()
    assert await deployed.state(named=lambda tenant_id: log_origin("new.example", tenant_id))
    await deployed.insert("60 min")
    await deployed.seal()
    assert await deployed.wrong(DEPLOYMENT) == []
    assert [wrong for wrong, *_ in await deployed.wrong()] == ["row_added_late"]


async def test_a_checkpoint_that_a_login_added_names_no_log(deployed: Deployment) -> None:
    await deployed.add(DEPLOYMENT)
    await deployed.add(DEPLOYMENT)
    await deployed.seal()
    async with deployed.database.tenant(DEPLOYMENT) as unit:
        for size in (1, 9):
            note = f"evil.example/audit/%3Adeployment\n{size}\nAAAA\n\n— evil.example/audit/%3Adeployment AAAA\n"
            await unit.execute(
                "INSERT INTO audit_checkpoints (tenant_id, id, size, note) VALUES ($1, gen_random_uuid(), $2, $3)",
                DEPLOYMENT,
                size,
                note,
            )
    assert await deployed.state()
    await deployed.insert("60 min")
    await deployed.seal()
    assert [wrong for wrong, *_ in await deployed.wrong()] == ["row_added_late"]
    assert {wrong for wrong, *_ in await deployed.wrong(DEPLOYMENT)} == {"checkpoint_forged"}


async def test_a_statement_stays_valid_when_the_key_is_rotated(deployed: Deployment) -> None:
    assert await deployed.state()
    await deployed.seal()
    keys = OTHER_KEY, KEY
    assert await deployed.state(*keys)
    await deployed.insert("60 min")
    await deployed.seal(*keys)
    assert await deployed.wrong(DEPLOYMENT, *keys) == []
    assert [wrong for wrong, *_ in await deployed.wrong(None, *keys)] == ["row_added_late"]


async def test_a_statement_that_a_pause_delayed_is_not_made(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verification would take it for a copy."""
    measured = LogRepository.sealed_through

    async def earlier(repository: LogRepository, *, window_seconds: float) -> SealedThrough | None:
        found = await measured(repository, window_seconds=window_seconds)
        assert found is not None
        return SealedThrough(*(moment - 31_000_000 for moment in found))

    monkeypatch.setattr(LogRepository, "sealed_through", earlier)
    assert not await deployed.state()
    assert await deployed.statements() == []


async def test_a_removed_checkpoint_is_named_without_anchors_and_accuses_no_event(deployed: Deployment) -> None:
    """Its leaves would look as if they had been sealed with the next checkpoint."""
    await deployed.insert("60 min")
    await deployed.seal()
    assert await deployed.state()
    await deployed.add()
    await deployed.seal()
    await deployed.superuser.execute(
        "DELETE FROM audit_checkpoints WHERE tenant_id = $1 AND size = 1", deployed.tenant_id
    )
    assert await deployed.wrong() == [("checkpoint_removed", 0, None)]
    known = LogKeys(await signing_keys().public_keys())
    result = await (await log_verifier(LogPages(deployed.database), known, None)).verify(deployed.tenant_id)
    assert [(one.wrong, one.position) for one in result.findings] == [("checkpoint_removed", 0)]


async def test_a_time_that_the_database_was_made_to_invent_is_not_stated(
    deployed: Deployment, urls: DatabaseUrls
) -> None:
    name = await deployed.superuser.fetchval("SELECT current_database()")
    await deployed.superuser.execute(
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC; CREATE FUNCTION evil.now() RETURNS timestamptz"
        " LANGUAGE sql AS $$ SELECT pg_catalog.now() + interval '1 day' $$;"
        f' ALTER DATABASE "{name}" SET search_path = evil, pg_catalog, public'
    )
    other = PooledDatabase(urls.app_url)
    assert await state_sealed(other, signing_keys(), origin)
    await other.dispose()
    (detail,) = map(json.loads, await deployed.statements())
    assert detail["through"] < detail["at"]


async def test_many_forged_statements_need_little_memory(deployed: Deployment) -> None:
    await deployed.add(DEPLOYMENT)
    await deployed.seal()
    for _ in range(30):
        await forged(deployed)
    stated = await read_statements(LogPages(deployed.database), LogKeys(await signing_keys().public_keys()))
    assert (len(stated.findings), stated.last, stated.longest_pause) == (20, None, 0)


async def test_many_events_are_read_in_pages(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantgate.transparency.pages._EVENT_PAGE", 2)
    for _ in range(3):
        await deployed.add(DEPLOYMENT)
        assert await deployed.state()
        await deployed.add(DEPLOYMENT)
    await deployed.seal()
    await deployed.insert("60 min")
    await deployed.seal()
    assert await deployed.wrong(DEPLOYMENT) == []
    assert [wrong for wrong, *_ in await deployed.wrong()] == ["row_added_late"]


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "4000-01-01 BC"])
async def test_a_queue_with_impossible_times_ends_no_statement(deployed: Deployment, moment: str) -> None:
    async with deployed.database.tenant(DEPLOYMENT) as unit:
        await unit.execute(
            "INSERT INTO audit_queue (tenant_id, id, created_at) VALUES ($1, gen_random_uuid(), $2::text::timestamptz)",
            DEPLOYMENT,
            moment,
        )
    through = await LogRepository(deployed.database).sealed_through(window_seconds=300)
    assert (through is None) == (moment != "infinity")
