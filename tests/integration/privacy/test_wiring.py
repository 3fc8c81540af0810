"""The services of personal data as a process builds them from its settings, and the numbers of an operator's report."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.wiring import database, dispose_database
from tenantgate.openid_provider.models import User
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tenantgate.openid_provider.storage.repository import BrowserSessionRepository
from tenantgate.privacy.models import LEDGER, LedgerEntry, Subject
from tenantgate.privacy.repository import ReportRepository
from tenantgate.privacy.wiring import erasure_service, erasure_service_of, export_service
from tenantgate.revocation.wiring import revocation_service
from tenantgate.settings.environment import get_settings
from tests.fixtures.data_keys.memory import KEY
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.privacy.person import Process
from tests.fixtures.process.settings import process_settings

pytestmark = pytest.mark.anyio
PUBLIC = "http://localhost:3000"
OWN_PROVIDER = f"{PUBLIC}/idp"


@pytest.fixture
async def process(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Process]:
    variables = {"ENVIRONMENT": "development", "PUBLIC_BASE_URL": PUBLIC, "DATABASE_URL": database_urls.app_url}
    keys = {"KEY_ENCRYPTION_KEYS": KEY, "COOKIE_SEALING_KEYS": new_sealing_key()}
    with process_settings(**variables, **keys, AUDIT_ANCHOR_FOLDER=str(tmp_path)):
        yield Process(database())
        await dispose_database()


async def sign_in_at_the_own_provider(tenant_id: str, user_id: str) -> None:
    sessions = BrowserSessions(BrowserSessionRepository(database()), clock=time.time)
    await sessions.start(User(user_id, tenant_id), replacing=None)


async def person_of(process: Process, issuer: str, user_id: str) -> Subject:
    """Return a person of a new tenant who has a session, and a revocation by an administrator before it."""
    subject = Subject(f"org-{uuid4()}", issuer, user_id)
    await (await revocation_service()).revoke_user(subject.tenant_id, issuer, user_id)
    await process.sign_in(subject, device="Lynx on Plan 9")
    return subject


async def test_a_person_of_the_own_provider_gets_and_erases_what_each_table_holds(
    process: Process, tmp_path: Path
) -> None:
    subject = await person_of(process, OWN_PROVIDER, str(uuid4()))
    await sign_in_at_the_own_provider(subject.tenant_id, subject.user_id)
    # Another person of the tenant, whose rows stay.
    await sign_in_at_the_own_provider(subject.tenant_id, other := str(uuid4()))

    records = (await (await export_service()).page(subject, None)).records
    (session,) = records["sessions"]
    assert (session["device"], session["provider_tokens"]) == ("Lynx on Plan 9", "held")
    assert isinstance(session["expires_at"], int)
    assert [row["kind"] for row in records["revocations"]] == ["user"]
    (row,) = records["provider"]
    assert isinstance(row["auth_time"], int)
    assert len(records["data_keys"]) == 1
    assert {event["event_type"] for event in records["audit_events"]} == {"AUTH_LOGIN_SUCCESS"}

    erased = await (await erasure_service()).erase(subject, source="request", actor="user")
    assert (erased.sessions, erased.rows) == (1, 1)
    (name,) = (tmp_path / LEDGER).iterdir()
    assert LedgerEntry.from_json(name.read_bytes()) == erased.entry
    after = (await (await export_service()).page(subject, None)).records
    assert not after.get("sessions")
    assert not after.get("provider")
    left = Subject(subject.tenant_id, OWN_PROVIDER, other)
    assert len((await (await export_service()).page(left, None)).records["provider"]) == 1


@pytest.mark.parametrize(
    ("issuer", "user_id"),
    [
        pytest.param("https://id.example.com", "8f5c1a52-4f0e-4f7e-9d43-2f36a4f8f7a1", id="another-issuer"),
        pytest.param(OWN_PROVIDER, "person-1", id="an-id-that-the-own-provider-does-not-have"),
    ],
)
async def test_a_person_of_another_provider_has_no_rows_of_the_own_one(
    process: Process, issuer: str, user_id: str
) -> None:
    subject = await person_of(process, issuer, user_id)
    if issuer != OWN_PROVIDER:
        # The same id at the built-in provider is another person.
        await sign_in_at_the_own_provider(subject.tenant_id, user_id)
    assert not (await (await export_service()).page(subject, None)).records.get("provider")
    erased = await (await erasure_service()).erase(subject, source="request", actor="user")
    assert (erased.sessions, erased.rows) == (1, 0)


async def test_an_operator_erases_without_cache_and_keys(process: Process) -> None:
    subject = await person_of(process, OWN_PROVIDER, str(uuid4()))

    async def publish() -> None:
        pass

    service = erasure_service_of(get_settings(), database(), None, publish=publish, anchors=None)
    erased = await service.erase(subject, source="command", actor="operator")
    assert erased.sessions == 1
    again = await service.erase(subject, source="command", actor="operator")
    assert (again.sessions, again.entry.key_ids) == (0, ())


async def test_the_report_counts_the_rows_of_each_tenant(process: Process, database_urls: DatabaseUrls) -> None:
    first = await person_of(process, OWN_PROVIDER, str(uuid4()))
    second = Subject(f"org-{uuid4()}", OWN_PROVIDER, str(uuid4()))
    for subject in (first, second):
        await process.sessions.tenant(subject.tenant_id, register=True)
    await process.sign_in(second)
    session = await process.sign_in(second)
    await process.erase(first)
    store = PooledDatabase(database_urls.app_url)
    try:
        report = ReportRepository(store)
        assert {first.tenant_id, second.tenant_id} <= {*await report.tenants()}
        erased = await report.held(first.tenant_id, now=time.time(), idle_seconds=3600)
        held = await report.held(second.tenant_id, now=session.last_used_at + 3601, idle_seconds=3600)
        empty = await report.held("org-nobody", now=time.time(), idle_seconds=3600)
    finally:
        await store.dispose()
    assert (erased.sessions, erased.keys, erased.destroyed, len(erased.erasures)) == (0, 0, 1, 1)
    assert (held.sessions, held.overdue, held.keys, held.destroyed) == (2, 2, 1, 0)
    assert held.events >= 3
    assert held.oldest_event is not None
    assert (empty.sessions, empty.events, empty.oldest_event) == (0, 0, None)
