"""`GET /api/v1/audit/events`, behind the authorizer, with a real service over a store in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from functions.audit_events.routes import router
from tenantgate.audit.trail.service import TrailService
from tenantgate.audit.trail.wiring import trail_service
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.web.app import create_app
from tests.fixtures.audit.events import any_event
from tests.fixtures.audit.trail import MemoryEvents, sign_in
from tests.fixtures.data_keys.memory import data_keys_in_memory
from tests.fixtures.web.sessions import OWN_ORIGIN
from tests.fixtures.web.setup import TENANT, api_event, make_settings

OTHER = "org-00000000-0000-4000-8000-00000000000b"
# Of the events, and of the caller.
ISSUER = "https://issuer.example"
GRANTED: dict[str, object] = {
    "user_id": "auditor",
    "tenant_id": TENANT,
    "issuer": ISSUER,
    "scopes": "audit:read openid",
    "expires_at": 1_900_000_000,
    "auth_method": "session",
    "session_id": str(uuid4()),
    "request_id": "r",
}


class Trail:
    """The endpoint with three events of two users."""

    def __init__(self) -> None:
        self.store, self.keys = MemoryEvents(), data_keys_in_memory()
        sealing = Sealer([new_sealing_key()])

        async def sealer() -> Sealer:
            return sealing

        async def service() -> TrailService:
            return TrailService(self.store, self.keys, sealer)

        async def fill() -> None:
            self.store.insert(await sign_in(self.keys, TENANT, "user-1"))
            self.store.insert(await sign_in(self.keys, TENANT, "user-2"))
            self.store.insert(any_event(TENANT))

        app = create_app(router, settings=make_settings())
        app.dependency_overrides[trail_service] = service
        self._context: Mapping[str, object] | None = None

        async def behind_the_authorizer(scope: Scope, receive: Receive, send: Send) -> None:
            context = None if self._context is None else dict(self._context)
            await app({**scope, "aws.event": api_event(authorizer=context)}, receive, send)

        self.client = TestClient(behind_the_authorizer, base_url=OWN_ORIGIN)
        asyncio.run(fill())

    def get(self, query: Mapping[str, object] = {}, context: Mapping[str, object] | None = GRANTED) -> tuple[int, Any]:
        self._context = context
        response = self.client.get("/api/v1/audit/events?" + urlencode(query))
        return response.status_code, response.json()


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture(scope="module")
def unread() -> Trail:
    """A trail that no test reads."""
    return Trail()


def test_returns_the_tenants_events_and_records_who_read_them(trail: Trail) -> None:
    status, body = trail.get()
    assert (status, body["next_cursor"]) == (200, None)
    assert [event["event_type"] for event in body["events"]] == ["TENANT_CHANGED", *["AUTH_LOGIN_SUCCESS"] * 2]
    row = trail.store.rows[1]
    assert body["events"][1] == {
        "id": str(row.id),
        "event_type": "AUTH_LOGIN_SUCCESS",
        "outcome": "success",
        "actor": "user",
        "resource_type": "session",
        "resource_id": None,
        "request_id": None,
        "session_id": None,
        "person": "known",
        "user_ref": (row.user_digest or b"")[:8].hex(),
        "issuer": ISSUER,
        "user_id": "user-2",
        "address": "203.0.113.0/24",
        "detail": {"amr": ["pwd"], "device": "Firefox on Linux"},
        "occurred_at": row.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "recorded_at": "2026-11-27T03:00:01.000000Z",
    }
    recorded = trail.store.last()
    assert (recorded.event_type, str(recorded.session_id)) == ("DATA_ACCESS", GRANTED["session_id"])
    assert json.loads(recorded.detail)["events"] == 3


def test_filters_and_pages(trail: Trail) -> None:
    _, first = trail.get({"limit": 1, "event_type": "AUTH_LOGIN_SUCCESS"})
    status, second = trail.get({"limit": 1, "event_type": "AUTH_LOGIN_SUCCESS", "cursor": first["next_cursor"]})
    assert (status, [event["user_id"] for event in first["events"] + second["events"]]) == (200, ["user-2", "user-1"])
    for query in ({"user_id": "user-1"}, {"user_id": "user-1", "issuer": ISSUER}):
        assert [event["user_id"] for event in trail.get(query)[1]["events"]] == ["user-1"]
    assert trail.get({"user_id": "user-1", "issuer": "https://other.example"})[1]["events"] == []
    # The caller's own earlier readings are events too.
    assert trail.get({"from": "2026-11-27T03:00:02Z", "limit": 200})[1]["events"][-1]["event_type"] == "TENANT_CHANGED"


def test_without_the_scope_it_is_the_403_of_the_product(unread: Trail) -> None:
    status, body = unread.get(context={**GRANTED, "scopes": "audit:write openid"})
    assert (status, body["error"]["code"]) == (403, "AUTH_010")
    assert len(unread.store.rows) == 3


def test_without_the_authorizers_context_it_is_rejected(trail: Trail) -> None:
    status, body = trail.get(context=None)
    assert (status, body["error"]["code"]) == (401, "AUTH_007")


def test_another_tenant_sees_nothing_of_it(trail: Trail) -> None:
    cursor = trail.get({"limit": 1})[1]["next_cursor"]
    other = {**GRANTED, "tenant_id": OTHER}
    assert trail.get(context=other)[1]["events"] == []
    assert trail.get({"user_id": "user-1", "issuer": ISSUER}, other)[1]["events"] == []
    status, body = trail.get({"limit": 1, "cursor": cursor}, other)
    assert (status, body["error"]["code"]) == (422, "VAL_001")
    assert [event["event_type"] for event in trail.get(context=other)[1]["events"]] == ["DATA_ACCESS"] * 2


@pytest.mark.parametrize(
    "query",
    [
        {"event_type": "AUTH_LOGIN_SUCCESS' OR '1'='1"},
        {"outcome": "any"},
        {"resource_type": "person"},
        {"session_id": "1"},
        {"request_id": "a\0b"},
        {"user_id": "user\0-1"},
        {"user_id": ""},
        {"user_id": "x" * 501},
        {"issuer": ISSUER},
        {"resource_id": "x" * 501},
        {"from": "2026-11-27T03:00:00"},
        {"from": "yesterday"},
        {"from": "0001-01-01T00:00:00+23:59"},
        {"from": "1e400"},
        {"to": "9999-12-31T23:59:59-23:59"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "1e2"},
        {"limit": "٣"},
        {"cursor": ""},
        {"cursor": "forged"},
        {"cursor": "x" * 201},
        {"tenant_id": OTHER},
        {"recorded_from": "2026-11-27T03:00:00Z"},
    ],
    ids=lambda query: str(query)[:40],
)
def test_other_parameters_are_refused_before_anything_is_read(unread: Trail, query: dict[str, object]) -> None:
    status, body = unread.get(query)
    assert (status, body["error"]["code"]) == (422, "VAL_001")
    assert len(unread.store.rows) == 3


def test_without_the_record_there_is_no_response(trail: Trail) -> None:
    trail.store.failure = DatabaseUnreachable("away")
    status, body = trail.get()
    assert (status, body["error"]["code"]) == (503, "SYS_001")
    assert "events" not in body
