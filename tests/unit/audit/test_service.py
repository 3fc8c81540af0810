"""Events of refused requests: stored in time, or written as a line; their keys hold nothing up."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tenantgate import time_limits
from tenantgate.audit.line_limits import OF_THE_DEPLOYMENT
from tenantgate.audit.models import Event, StoredEvent, detail_place, log_owner
from tenantgate.audit.service import AuditLog, key_for
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.secrets.errors import SecretMissing, SecretsUnavailable
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.audit.events import MemoryKeys
from tests.fixtures.audit.marked import limits_forgotten

pytestmark = pytest.mark.anyio

ADDRESS = "203.0.113.0/24"


class Events:
    """A store of events that can hang or fail."""

    def __init__(self, *, hangs: bool = False, failure: Exception | None = None) -> None:
        self.rows: list[StoredEvent] = []
        self.hangs, self.failure = hangs, failure

    async def add(self, event: StoredEvent) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        self.rows.append(event)


class HangingKeys:
    """A key service that never responds."""

    async def current(self, owner: KeyOwner) -> DataKey:
        await asyncio.Event().wait()
        raise AssertionError(owner)


def failed_sign_in(address: str | None = ADDRESS) -> Event:
    return Event("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome="denied", address=address)


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tenantgate.audit.line")
    monkeypatch.setattr(time_limits, "AUDIT_KEY", 0.02)
    monkeypatch.setattr(time_limits, "AUDIT_EVENT", 0.02)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(one)["context"]["audit"]["event_id"] for one in caplog.records if one.getMessage() == "audit event"]


async def test_the_address_is_encrypted_for_the_log() -> None:
    store, keys, event = Events(), MemoryKeys(), failed_sign_in()
    await AuditLog(store, keys).append(event)
    (row,) = store.rows
    assert row.encrypted_detail is not None
    opened = keys.keys[log_owner(DEPLOYMENT)].decrypt(row.encrypted_detail, place=detail_place(event.id))
    assert ADDRESS.encode() in opened


@pytest.mark.parametrize("keys", [HangingKeys(), MemoryKeys(KeyServiceUnavailable("away"))], ids=["hangs", "away"])
async def test_a_key_that_is_away_costs_only_the_address(
    keys: HangingKeys | MemoryKeys, caplog: pytest.LogCaptureFixture
) -> None:
    store = Events()
    await AuditLog(store, keys).append(failed_sign_in())
    assert [row.encrypted_detail for row in store.rows] == [None]
    assert lines(caplog) == []


async def test_an_event_without_an_address_needs_no_key() -> None:
    store, keys = Events(), MemoryKeys()
    await AuditLog(store, keys).append(failed_sign_in(None))
    assert len(store.rows) == 1
    assert keys.keys == {}


@pytest.mark.parametrize(
    "store", [Events(hangs=True), Events(failure=DatabaseUnreachable("gone"))], ids=["hangs", "gone"]
)
async def test_an_event_that_is_not_stored_in_time_is_a_line(store: Events, caplog: pytest.LogCaptureFixture) -> None:
    event = failed_sign_in()
    await AuditLog(store, MemoryKeys()).append(event)
    assert store.rows == []
    assert lines(caplog) == [str(event.id)]
    assert ADDRESS not in str([vars(record) for record in caplog.records])


async def test_without_a_key_encryption_key_there_is_no_key() -> None:
    keys = MemoryKeys(SecretMissing("KEY_ENCRYPTION_KEYS has no value"))
    assert await key_for(keys, log_owner(DEPLOYMENT)) is None


async def test_a_key_encryption_key_that_can_not_be_used_is_a_failure() -> None:
    keys = MemoryKeys(SecretsUnavailable("KEY_ENCRYPTION_KEYS: a key has 32 bytes"))
    with pytest.raises(SecretsUnavailable):
        await key_for(keys, log_owner(DEPLOYMENT))


async def test_secrets_that_can_not_be_used_cost_only_the_address() -> None:
    store = Events()
    await AuditLog(store, MemoryKeys(SecretsUnavailable("KEY_ENCRYPTION_KEYS: a key has 32 bytes"))).append(
        failed_sign_in()
    )
    assert [row.encrypted_detail for row in store.rows] == [None]


async def test_a_flood_is_counted_instead_of_stored_or_written(caplog: pytest.LogCaptureFixture) -> None:
    for store in (Events(), Events(failure=DatabaseUnreachable("away"))):
        limits_forgotten()
        log = AuditLog(store, MemoryKeys())
        for _ in range(50):
            await log.append(Event("LOGOUT_TOKEN_REFUSED", DEPLOYMENT, outcome="denied", resource_type="logout_token"))
        assert len(store.rows) + len(lines(caplog)) == OF_THE_DEPLOYMENT
        caplog.clear()
