"""The registry: the changes that it accepts, and their effect on sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tenantgate.audit.models import StoredEvent
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError, ValidationFailed
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.tenants.errors import TenantExists, TenantUnknown
from tenantgate.tenants.models import Changes, Tenant, TenantRules
from tenantgate.tenants.service import TenantService
from tenantgate.tokens.policy import parse_tenant_id_pattern
from tenantgate.tokens.tenant import DEPLOYMENT

pytestmark = pytest.mark.anyio

ISSUERS = ("https://login.example.com", "https://other.example.com")
RULES = TenantRules(30, 12, ISSUERS, parse_tenant_id_pattern("org-{slug}"))


class MemoryTenants:
    """Tenants in a dictionary."""

    def __init__(self, *tenants: Tenant) -> None:
        self.rows = {tenant.tenant_id: tenant for tenant in tenants}
        self.events: list[StoredEvent] = []

    async def page(self, *, after: str, limit: int) -> Sequence[Tenant]:
        return [self.rows[name] for name in sorted(self.rows) if name > after][:limit]

    async def find(self, tenant_id: str) -> Tenant | None:
        return self.rows.get(tenant_id)

    async def add(self, tenant: Tenant, event: StoredEvent) -> bool:
        self.events.append(event)
        return self.rows.setdefault(tenant.tenant_id, tenant) is tenant

    async def change(self, tenant_id: str, changes: Changes, event: StoredEvent) -> Tenant | None:
        if tenant_id not in self.rows:
            return None
        self.events.append(event)
        values: dict[str, Any] = dict(changes)
        self.rows[tenant_id] = replace(self.rows[tenant_id], **values)
        return self.rows[tenant_id]


class Sessions:
    """Records whose admission was applied."""

    def __init__(self, *, down: bool = False) -> None:
        self.applied: list[str] = []
        self._down = down

    async def apply_admission(self, tenant_id: str) -> tuple[int, int]:
        self.applied.append(tenant_id)
        if self._down:
            raise CacheUnavailable("down")
        return 3, 1

    async def count(self, tenant_id: str) -> int:
        return 7


def service(*tenants: Tenant, sessions: Sessions | None = None) -> TenantService:
    return TenantService(MemoryTenants(*tenants), sessions or Sessions(), RULES)


@pytest.mark.parametrize("failure", [CacheUnavailable("down"), DatabaseUnreachable("lost meanwhile")])
async def test_a_tenant_that_is_not_published_yet_was_added(failure: TenantgateError) -> None:
    async def publish() -> None:
        raise failure

    registry = TenantService(MemoryTenants(), Sessions(), RULES, publish=publish)
    assert await registry.add(Tenant("org-new")) == Tenant("org-new")


async def test_every_tenant_is_listed_in_the_order_of_the_ids() -> None:
    many = [Tenant(f"org-{number:04}") for number in range(1203)]
    assert [tenant async for tenant in service(*reversed(many)).tenants()] == many


async def test_a_tenant_is_shown_with_its_sessions() -> None:
    assert await service(Tenant("org-a")).show("org-a") == (Tenant("org-a"), 7)


async def test_a_tenant_is_added_once() -> None:
    registry = service()
    assert await registry.add(Tenant("org-a", "A", session_idle_minutes=30, allowed_issuers=ISSUERS))
    with pytest.raises(TenantExists):
        await registry.add(Tenant("org-a"))


async def test_the_deployments_own_log_is_not_added_under_any_pattern() -> None:
    registry = TenantService(MemoryTenants(), Sessions(), replace(RULES, matches=re.compile(".*")))
    with pytest.raises(ValidationFailed):
        await registry.add(Tenant(DEPLOYMENT))


async def test_each_change_brings_its_event_and_a_refused_one_none() -> None:
    store = MemoryTenants()
    registry = TenantService(store, Sessions(), RULES)
    await registry.add(Tenant("org-a"))
    await registry.suspend("org-a")
    await registry.change("org-a", {"name": "A name of a person"})
    for refused in (registry.suspend("org-b"), registry.change("org-a", {"session_idle_minutes": 0})):
        with pytest.raises(TenantgateError):
            await refused
    assert [(event.event_type, event.tenant_id, event.actor, event.detail) for event in store.events] == [
        ("TENANT_REGISTERED", "org-a", "operator", "{}"),
        ("TENANT_CHANGED", "org-a", "operator", '{"changed":["status"],"status":"suspended"}'),
        ("TENANT_CHANGED", "org-a", "operator", '{"changed":["name"]}'),
    ]


@pytest.mark.parametrize(
    "tenant_id",
    ["", "acme", "org-", "org-A", "org-a\n", "org-a\0", "org-a\u200b", "ORG-a", " org-a", "org-ä", "org-" + "a" * 125],
    ids=ascii,
)
async def test_only_an_id_that_tokens_may_name_is_added(tenant_id: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await service().add(Tenant(tenant_id))
    assert isinstance(refused.value.detail, list)
    assert [item["field"] for item in refused.value.detail] == ["tenant_id"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"session_idle_minutes": 31}, "from 1 to 30, which is SESSION_IDLE_MINUTES"),
        ({"session_idle_minutes": 0}, "from 1 to 30"),
        ({"session_absolute_hours": 13}, "from 1 to 12, which is SESSION_ABSOLUTE_HOURS"),
        ({"session_absolute_hours": -1}, "from 1 to 12"),
        ({"allowed_issuers": ()}, "suspend the tenant"),
        ({"allowed_issuers": (ISSUERS[0], "https://evil.example")}, "https://evil.example isn't trusted"),
        ({"allowed_issuers": (ISSUERS[0] + "/",)}, "isn't trusted"),
        ({"name": ""}, "1 to 256 printable"),
        ({"name": "two\nlines"}, "1 to 256 printable"),
        ({"name": "x" * 257}, "1 to 256 printable"),
    ],
    ids=str,
)
async def test_a_policy_that_is_weaker_than_the_deployments_is_refused(changes: Changes, problem: str) -> None:
    store = MemoryTenants(Tenant("org-a"))
    registry = TenantService(store, Sessions(), RULES)
    with pytest.raises(ValidationFailed) as refused:
        await registry.change("org-a", changes)
    assert isinstance(refused.value.detail, list)
    assert problem in str(refused.value.detail[0]["problem"])
    assert store.rows == {"org-a": Tenant("org-a")}


async def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(ValidationFailed) as refused:
        await service().add(Tenant("x", session_idle_minutes=99, session_absolute_hours=99))
    assert isinstance(refused.value.detail, list)
    fields = [item["field"] for item in refused.value.detail]
    assert fields == ["tenant_id", "session_idle_minutes", "session_absolute_hours"]


async def test_none_returns_to_the_deployments_limits() -> None:
    limited = Tenant("org-a", "A", session_idle_minutes=5, session_absolute_hours=1, allowed_issuers=ISSUERS[:1])
    none = {"name": None, "session_idle_minutes": None, "session_absolute_hours": None, "allowed_issuers": None}
    assert (await service(limited).change("org-a", none)).tenant == Tenant("org-a")


async def test_a_time_out_needs_no_tombstones() -> None:
    sessions = Sessions()
    applied = await service(Tenant("org-a"), sessions=sessions).change("org-a", {"session_idle_minutes": 5})
    assert (sessions.applied, applied.stopped, applied.everywhere) == ([], 0, True)


async def test_suspending_and_activating_reach_valkey_also_when_repeated() -> None:
    sessions = Sessions()
    registry = service(Tenant("org-a"), sessions=sessions)
    for _ in range(2):
        applied = await registry.suspend("org-a")
        assert (applied.tenant.status, applied.stopped, applied.resumed, applied.everywhere) == (
            "suspended",
            3,
            1,
            True,
        )
    assert (await registry.activate("org-a")).tenant.status == "active"
    await registry.change("org-a", {"allowed_issuers": ISSUERS[:1]})
    assert sessions.applied == ["org-a"] * 4


async def test_without_valkey_the_change_is_made_and_its_limit_reported() -> None:
    store = MemoryTenants(Tenant("org-a"))
    applied = await TenantService(store, Sessions(down=True), RULES).suspend("org-a")
    assert (applied.everywhere, store.rows["org-a"].status) == (False, "suspended")


async def test_an_unknown_tenant_is_not_changed() -> None:
    registry = service()
    for attempt in (registry.show("org-a"), registry.suspend("org-a"), registry.activate("org-a")):
        with pytest.raises(TenantUnknown):
            await attempt
    with pytest.raises(TenantUnknown):
        await registry.change("org-a", {"name": "A"})
