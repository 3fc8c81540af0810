"""Revoking: what is recorded, and when it counts as done."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from tenantgate.audit.models import StoredEvent
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revocation.errors import NotYetEverywhere
from tenantgate.revocation.models import RevocationPolicy, TokenOwner
from tenantgate.revocation.service import RevocationService
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import (
    client_name,
    kid_name,
    session_name,
    subject_name,
    tenant_name,
    token_name,
    user_name,
)

pytestmark = pytest.mark.anyio

NOW = 1_000_000.0
POLICY = RevocationPolicy(longest_token=3_600, longest_session=7_200)
OWNER = TokenOwner("org-1", "https://i", "u")
OWNER_NAMES = (user_name("org-1", "https://i", "u"), tenant_name("org-1"))


class Store:
    def __init__(self) -> None:
        self.recorded: list[Revocation] = []
        self.events: list[StoredEvent] = []

    async def record(self, revocations: Iterable[Revocation], *, at: float, event: StoredEvent) -> None:
        assert at == NOW
        self.events.append(event)
        self.recorded += revocations

    async def lift(self, name: bytes, *, event: StoredEvent) -> bool:
        self.events.append(event)
        kept = [one for one in self.recorded if one.name != name]
        found, self.recorded = len(kept) < len(self.recorded), kept
        return found


class Publisher:
    """Publishes, or fails."""

    def __init__(self, failure: TenantgateError | None = None) -> None:
        self._failure = failure
        self.calls = 0

    async def publish(self) -> int:
        self.calls += 1
        if self._failure is not None:
            raise self._failure
        return 7


def service_of(store: Store, publisher: Publisher | None = None) -> RevocationService:
    return RevocationService(store, publisher, POLICY, clock=lambda: NOW)


async def test_each_kind_is_recorded_with_its_name_and_expiry() -> None:
    store = Store()
    service = service_of(store)
    await service.revoke_token("https://i", token_id="jti", expires_at=NOW + 5, owner=OWNER)
    await service.revoke_token("https://i", text="a.b.c")
    await service.revoke_session("org-1", "s", owner=OWNER)
    await service.revoke_user("org-1", "https://i", "u")
    await service.revoke_user(None, "https://i", "u")
    await service.revoke_client("https://i", "app")
    await service.revoke_tenant("org-1")
    await service.revoke_kid("https://i", "key")
    assert store.recorded == [
        Revocation("token", token_name("https://i", "jti", ""), NOW + 5, *OWNER_NAMES),
        Revocation("token", token_name("https://i", None, "a.b.c"), NOW + 3_600),
        Revocation("session", session_name("org-1", "s"), NOW + 7_200, *OWNER_NAMES),
        Revocation("user", user_name("org-1", "https://i", "u"), NOW + 7_200),
        Revocation("user", subject_name("https://i", "u"), NOW + 7_200),
        Revocation("client", client_name("https://i", "app"), NOW + 7_200),
        Revocation("tenant", tenant_name("org-1"), NOW + 7_200),
        Revocation("kid", kid_name("https://i", "key"), None),
    ]


async def test_a_key_is_accepted_again_when_it_is_lifted() -> None:
    store = Store()
    service = service_of(store)
    assert await service.lift_kid("https://i", "key") is False
    await service.revoke_kid("https://i", "key")
    assert await service.lift_kid("https://j", "key") is False
    assert [one.name for one in store.recorded] == [kid_name("https://i", "key")]
    assert await service.lift_kid("https://i", "key") is True
    assert store.recorded == []


async def test_a_lifted_key_is_an_event_and_published(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, publisher = Store(), Publisher()
    service = service_of(store, publisher)
    await service.revoke_kid("https://i", "key")
    await service.lift_kid("https://i", "key")
    assert publisher.calls == 2
    contexts = [vars(record)["context"] for record in caplog.records]
    assert [(context["event"], context["kind"]) for context in contexts] == [
        ("REVOKED", "kid"),
        ("REVOCATION_LIFTED", "kid"),
    ]


async def test_a_cache_that_is_away_is_tried_once() -> None:
    publisher = Publisher(CacheUnavailable("down"))
    with pytest.raises(NotYetEverywhere):
        await service_of(Store(), publisher).revoke_tenant("org-1")
    assert publisher.calls == 1


@pytest.mark.parametrize(
    "publisher",
    [Publisher(CacheUnavailable("down", server="x")), Publisher(DatabaseUnreachable("lost meanwhile"))],
)
async def test_recorded_but_not_published_is_an_error_that_says_so(publisher: Publisher) -> None:
    store = Store()
    with pytest.raises(NotYetEverywhere) as raised:
        await service_of(store, publisher).revoke_tenant("org-1")
    assert len(store.recorded) == 1
    assert "recorded" in str(raised.value.detail)
    assert raised.value.error.status == 503
