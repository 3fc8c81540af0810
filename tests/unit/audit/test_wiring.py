"""Events that have no unit of work, by the process's settings."""

from __future__ import annotations

import logging

import pytest

from tenantgate.audit.models import Event
from tenantgate.audit.wiring import append
from tenantgate.database.wiring import dispose_database
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.process.settings import process_settings

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "variables", [{}, {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}], ids=["no-database", "database-gone"]
)
async def test_an_event_that_no_database_takes_is_a_line(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    caplog.set_level(logging.INFO, logger="tenantgate.audit.line")
    event = Event("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome="denied", address="203.0.113.0/24")
    with process_settings(**variables):
        await append(event)
        await dispose_database()
    (line,) = [vars(one)["context"]["audit"] for one in caplog.records if one.getMessage() == "audit event"]
    assert line["event_id"] == str(event.id)
