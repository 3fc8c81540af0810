"""The registry on PostgreSQL."""

import asyncio

import pytest

from tenantgate.database.unit import Database
from tenantgate.revocation.repository import count_change
from tenantgate.tenants.models import Tenant
from tenantgate.tenants.repository import TenantRepository
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls, execute

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(database: Database, database_urls: DatabaseUrls) -> TenantRepository:
    execute(database_urls.admin_url, "DELETE FROM tenants")
    return TenantRepository(database, count_change)


@pytest.mark.parametrize("tenant_id", ["org-1", "Ünïcode 🗝️", "'; DROP TABLE tenants; --", "%s $1 \\", "x" * 128])
async def test_any_id_is_found_changed_and_listed(store: TenantRepository, tenant_id: str) -> None:
    tenant = Tenant(tenant_id, "A name", "active", 15, 8, ("https://a.example", "https://b.example"))
    assert await store.add(tenant, any_event(tenant_id))
    assert not await store.add(Tenant(tenant_id), any_event(tenant_id))
    found = await store.find(tenant_id)
    assert found is not None
    assert found.created_at > 1_790_000_000
    assert (found.name, found.session_idle_minutes, found.allowed_issuers) == ("A name", 15, tenant.allowed_issuers)
    assert await store.page(after="", limit=10) == [found]
    changed = await store.change(
        tenant_id, {"status": "suspended", "allowed_issuers": None, "name": None}, any_event(tenant_id)
    )
    assert changed == Tenant(tenant_id, None, "suspended", 15, 8, None, found.created_at)


async def test_pages_have_every_tenant_once(store: TenantRepository) -> None:
    names = [f"org-{number}" for number in range(25)]
    for name in names:
        await store.add(Tenant(name), any_event(name))
    listed: list[str] = []
    while page := await store.page(after=listed[-1] if listed else "", limit=10):
        listed += [tenant.tenant_id for tenant in page]
    assert sorted(listed) == sorted(names)
    assert len(listed) == 25


async def test_an_unknown_tenant_stays_unknown(store: TenantRepository) -> None:
    assert await store.find("org-none") is None
    assert await store.change("org-none", {"status": "suspended"}, any_event("org-none")) is None
    assert await store.page(after="", limit=10) == []


async def test_concurrent_changes_of_different_fields_all_last(store: TenantRepository) -> None:
    await store.add(Tenant("org-1"), any_event("org-1"))
    changes: list[dict[str, object]] = [{"name": "A"}, {"session_idle_minutes": 5}, {"status": "suspended"}]
    await asyncio.gather(*(store.change("org-1", change, any_event("org-1")) for change in changes))
    found = await store.find("org-1")
    assert found is not None
    assert (found.name, found.session_idle_minutes, found.status) == ("A", 5, "suspended")


async def test_one_of_several_concurrent_additions_succeeds(store: TenantRepository) -> None:
    added = await asyncio.gather(*(store.add(Tenant("org-1", f"{number}"), any_event("org-1")) for number in range(6)))
    assert sorted(added) == [False] * 5 + [True]
