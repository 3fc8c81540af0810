"""Audit events in PostgreSQL: with their act or not at all, in their tenant only, never changed, never readable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tenantgate.audit.models import Event, StoredEvent, detail_place, log_owner, stored_user, user_owner, user_place
from tenantgate.audit.repository import EventRepository, record
from tenantgate.audit.service import AuditLog
from tenantgate.crypto.errors import EnvelopeBroken, KeyServiceUnavailable
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import StatementRefused, Unit
from tenantgate.revocation.models import RevocationPolicy
from tenantgate.revocation.repository import RevocationRepository, count_change
from tenantgate.revocation.service import RevocationService
from tenantgate.secrets.errors import SecretMissing
from tenantgate.sessions import models
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import End, SessionPolicy, StoredSession
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.repository import SessionRepository
from tenantgate.tenants.models import Tenant
from tenantgate.tenants.repository import TenantRepository
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.audit.events import MemoryKeys, any_event, recorded_events
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.session_stores import ENDINGS, OTHER_TENANT, stored_session

pytestmark = pytest.mark.anyio
REGISTER = "INSERT INTO tenants (tenant_id) VALUES ($1)"
_CHANGES = (
    "UPDATE audit_events SET outcome = 'success'",
    "UPDATE audit_events SET outcome = 'success' WHERE false",
    "DELETE FROM audit_events",
    "TRUNCATE audit_events",
)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(database_urls.app_url)
    yield made
    await made.dispose()


async def _record_again(event: StoredEvent, unit: Unit, _: object, *, at: float) -> None:
    assert at > 0
    await record(unit, event._replace(tenant_id="another"))


def _row(rows: list[dict[str, Any]], event_id: UUID) -> dict[str, Any]:
    return next(row for row in rows if row["id"] == event_id)


def new_session(**changes: Any) -> StoredSession:
    return stored_session(tenant_id=f"org-{uuid4()}", **changes)


async def test_a_session_leaves_its_sign_in_refresh_and_end(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    keys, session = MemoryKeys(), new_session()
    sessions, refreshes = SessionRepository(database, ENDINGS, keys), RefreshRepository(database, ENDINGS)
    await sessions.add(session)
    claim = await refreshes.claim(
        session.secret_hash,
        tenant_id=session.tenant_id,
        holder=(holder := uuid4()),
        seconds=10,
        rotated_before=0,
        only_expired=False,
    )
    assert claim is not None
    after = replace(claim.session, id=uuid4(), secret_hash=bytes(32), rotated_at=1_800_000_100.0)
    # A repeated rotation, whose first result was lost, is one event.
    for _ in range(2):
        assert await refreshes.rotate(claim.session, holder, to=after) == "stored"
    await sessions.remove([after.id], tenant_id=session.tenant_id, end=models.SIGN_OUT)
    rows = await recorded_events(database_urls.admin_url, session.tenant_id)
    assert [(row["event_type"], row["session_id"]) for row in rows] == [
        ("AUTH_LOGIN_SUCCESS", session.id),
        ("AUTH_TOKEN_REFRESHED", after.id),
        ("AUTH_LOGOUT", after.id),
    ]
    assert json.loads(rows[1]["detail"]) == {"previous_session_id": str(session.id)}
    # Each names the user, and only the user's key tells who it is.
    key = keys.keys[user_owner(session.tenant_id, session.issuer, session.user_id)]
    for row in rows:
        named = json.loads(key.decrypt(row["encrypted_user"], place=user_place(row["user_digest"])))
        assert named == {"issuer": session.issuer, "user_id": session.user_id}
    personal = json.loads(key.decrypt(rows[0]["encrypted_detail"], place=detail_place(rows[0]["id"])))
    assert personal == {"address": session.address, "device": session.device}
    stored = str(rows)
    assert not [
        text for text in (session.user_id, session.issuer, session.address, session.device) if str(text) in stored
    ]


@pytest.mark.parametrize(
    ("end", "types"),
    [
        (models.BY_USER, ["SESSION_ENDED"]),
        (models.BY_OPERATOR, ["SESSION_ENDED"]),
        (models.REPLACED, ["SESSION_ENDED"]),
        (models.BY_PROVIDER, ["SESSION_ENDED"]),
        (models.REVOKED, ["SESSION_ENDED"]),
        (models.SIGN_OUT, ["AUTH_LOGOUT"]),
        (models.REUSED, ["SESSION_ENDED", "SESSION_SECRET_REUSED"]),
    ],
)
async def test_each_end_is_recorded_without_a_key(
    database: PooledDatabase, database_urls: DatabaseUrls, end: End, types: list[str]
) -> None:
    session = new_session()
    sessions = SessionRepository(database, ENDINGS)
    await sessions.add(session)
    await asyncio.gather(*(sessions.remove([session.id], tenant_id=session.tenant_id, end=end) for _ in range(4)))
    rows = (await recorded_events(database_urls.admin_url, session.tenant_id))[1:]
    assert sorted(row["event_type"] for row in rows) == types
    for row in rows:
        assert row["session_id"] == session.id
        assert row["encrypted_user"] is row["user_digest"] is row["encrypted_detail"] is None
    ended = [row for row in rows if row["event_type"] != "SESSION_SECRET_REUSED"]
    assert [(row["actor"], json.loads(row["detail"])) for row in ended] == [(end.actor, {"reason": end.reason})]


async def test_no_session_starts_without_the_users_key(database: PooledDatabase, database_urls: DatabaseUrls) -> None:
    session = new_session()
    with pytest.raises(KeyServiceUnavailable):
        await SessionRepository(database, ENDINGS, MemoryKeys(KeyServiceUnavailable("away"))).add(session)
    assert await recorded_events(database_urls.admin_url, session.tenant_id) == []
    assert await SessionRepository(database, ENDINGS).find(session.secret_hash, tenant_id=session.tenant_id) is None


async def test_without_a_key_encryption_key_a_session_starts_and_its_events_name_no_user(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    session = new_session()
    keys = MemoryKeys(SecretMissing("KEY_ENCRYPTION_KEYS is missing"))
    await SessionRepository(database, ENDINGS, keys).add(session)
    (row,) = await recorded_events(database_urls.admin_url, session.tenant_id)
    assert row["session_id"] == session.id
    assert row["encrypted_user"] is row["user_digest"] is row["encrypted_detail"] is None


async def test_act_and_event_are_committed_together_or_not_at_all(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    async def act(*, fails: bool) -> None:
        async with database.tenant(tenant) as unit:
            await unit.execute(REGISTER, tenant)
            await record(unit, event)
            if fails:
                raise InterruptedError

    tenant = f"org-{uuid4()}"
    event = any_event(tenant)
    with pytest.raises(InterruptedError):
        await act(fails=True)
    assert await recorded_events(database_urls.admin_url, tenant) == []
    await act(fails=False)
    assert [row["id"] for row in await recorded_events(database_urls.admin_url, tenant)] == [event.id]
    # The act fails with its event: this id is taken.
    session = new_session()
    failing = Endings(partial(_record_again, event), SessionPolicy())
    await SessionRepository(database, ENDINGS).add(session)
    with pytest.raises(StatementRefused):
        await SessionRepository(database, failing).remove([session.id], tenant_id=session.tenant_id)
    assert await SessionRepository(database, ENDINGS).find(session.secret_hash, tenant_id=session.tenant_id) == session
    assert len(await recorded_events(database_urls.admin_url, session.tenant_id)) == 1


async def test_no_unit_writes_into_another_tenants_log(database: PooledDatabase, database_urls: DatabaseUrls) -> None:
    with pytest.raises(StatementRefused) as caught:
        async with database.tenant(f"org-{uuid4()}") as unit:
            await record(unit, any_event(OTHER_TENANT))
    assert caught.value.sqlstate == "42501"
    with pytest.raises(StatementRefused):
        async with database.untenanted() as unit:
            await record(unit, any_event())
    assert await recorded_events(database_urls.admin_url, OTHER_TENANT) == []


@pytest.mark.parametrize("statement", _CHANGES)
@pytest.mark.parametrize("role", ["app_url", "owner_url", "admin_url"])
async def test_no_role_changes_or_removes_an_event(
    database: PooledDatabase, database_urls: DatabaseUrls, statement: str, role: str
) -> None:
    tenant = f"org-{uuid4()}"
    await EventRepository(database).add(any_event(tenant))
    connection = await asyncpg.connect(getattr(database_urls, role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert len(await recorded_events(database_urls.admin_url, tenant)) == 1


async def test_only_the_owner_deletes_and_only_in_declared_retention(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    tenant = f"org-{uuid4()}"
    await EventRepository(database).add(any_event(tenant))
    declared = "SELECT set_config('tenantgate.audit_retention', 'on', true)"
    entered = f"SELECT set_config('tenantgate.tenant_id', '{tenant}', true)"
    for url, statement in (
        (database_urls.app_url, "DELETE FROM audit_events"),
        (database_urls.owner_url, "UPDATE audit_events SET outcome = 'denied'"),
        (database_urls.owner_url, "TRUNCATE audit_events"),
    ):
        connection = await asyncpg.connect(url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"BEGIN; {declared}; {entered}; {statement}; COMMIT")
        finally:
            await connection.close()
    assert len(await recorded_events(database_urls.admin_url, tenant)) == 1
    connection = await asyncpg.connect(database_urls.owner_url)
    try:
        await connection.execute(f"BEGIN; {declared}; {entered}; DELETE FROM audit_events; COMMIT")
    finally:
        await connection.close()
    assert await recorded_events(database_urls.admin_url, tenant) == []


async def test_revocations_and_tenants_are_recorded_in_their_log(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    tenant, kid = f"org-{uuid4()}", f"kid-{uuid4()}"
    service = RevocationService(
        RevocationRepository(database, closed=False), None, RevocationPolicy(), actor="operator"
    )
    await service.revoke_user(tenant, "https://i", "person@example.com")
    await service.revoke_tenant(tenant)
    await service.revoke_kid("https://i", kid)
    assert await service.lift_kid("https://i", kid)
    assert not await service.lift_kid("https://i", kid)
    registry = TenantRepository(database, count_change)
    assert await registry.add(Tenant(tenant), any_event(tenant))
    assert not await registry.add(Tenant(tenant), any_event(tenant))
    rows = await recorded_events(database_urls.admin_url, tenant)
    assert [(row["event_type"], row["resource_type"], row["resource_id"]) for row in rows] == [
        ("REVOKED", "user", None),
        ("REVOKED", "tenant", tenant),
        ("TENANT_CHANGED", "tenant", tenant),
    ]
    of_kid = [row for row in await recorded_events(database_urls.admin_url, DEPLOYMENT) if row["resource_id"] == kid]
    assert [(row["event_type"], row["actor"]) for row in of_kid] == [
        ("REVOKED", "operator"),
        ("REVOCATION_LIFTED", "operator"),
    ]


async def test_the_log_of_the_deployment_encrypts_addresses_and_works_without_a_key(
    database: PooledDatabase, database_urls: DatabaseUrls, caplog: pytest.LogCaptureFixture
) -> None:
    keys, address = MemoryKeys(), "203.0.113.0/24"
    for given in (keys, MemoryKeys(KeyServiceUnavailable("away"))):
        event = Event("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome="denied", address=address)
        await AuditLog(EventRepository(database), given).append(event)
        row = _row(await recorded_events(database_urls.admin_url, DEPLOYMENT), event.id)
        assert (row["encrypted_detail"] is not None) == (given is keys)
        if row["encrypted_detail"] is not None:
            opened = keys.keys[log_owner(DEPLOYMENT)].decrypt(row["encrypted_detail"], place=detail_place(event.id))
            assert json.loads(opened) == {"address": address}


async def test_an_event_that_cannot_be_stored_is_a_marked_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="tenantgate.audit.line")
    down = PooledDatabase("postgresql://nobody@127.0.0.1:1/none")
    event = Event("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome="denied", address="203.0.113.0/24")
    await AuditLog(EventRepository(down), MemoryKeys()).append(event)
    await down.dispose()
    (line,) = [vars(one)["context"] for one in caplog.records if one.getMessage() == "audit event"]
    assert line["audit"]["event_id"] == str(event.id)
    assert "203.0.113" not in str(line)


async def test_an_event_that_is_delivered_again_and_at_the_same_time_is_one_row(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    log, other = f"org-{uuid4()}", f"org-{uuid4()}"
    events = [any_event(log) for _ in range(50)]
    repository = EventRepository(database)
    added = await asyncio.gather(*(repository.add_once(log, [*events, *events[:9]]) for _ in range(4)))
    assert sum(added) == 50
    # Each log has its own ids: none tells whether another log has it.
    assert await repository.add_once(other, [events[0]._replace(tenant_id=other)]) == 1
    assert {row["id"] for row in await recorded_events(database_urls.admin_url, log)} == {one.id for one in events}
    with pytest.raises(StatementRefused):
        await repository.add_once(log, [any_event(other)])
    assert len(await recorded_events(database_urls.admin_url, other)) == 1


def test_an_envelope_does_not_open_for_another_user_or_event() -> None:
    keys = MemoryKeys()
    mine, theirs = (asyncio.run(keys.current(user_owner("org-1", "https://i", name))) for name in ("u-1", "u-2"))
    user = stored_user(mine, "https://i", "u-1")
    with pytest.raises(EnvelopeBroken):
        theirs.decrypt(user.encrypted, place=user_place(user.digest))
    with pytest.raises(EnvelopeBroken):
        mine.decrypt(user.encrypted, place=user_place(bytes(32)))
    event = Event("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome="denied", address="a").stored(mine)
    assert event.encrypted_detail is not None
    with pytest.raises(EnvelopeBroken):
        mine.decrypt(event.encrypted_detail, place=detail_place(UUID(int=1)))
