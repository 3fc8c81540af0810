"""Security events have one schema, and the docs list them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import get_args

import pytest

from tenantgate.context import RequestContext, begin_request
from tenantgate.observability import security_events
from tenantgate.observability.security_events import EVENTS, Event, log_security_event

PAGE = Path(__file__).parents[3] / "docs" / "OPERATIONS.md"


def test_a_line_has_every_member(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=security_events.__name__)
    begin_request(RequestContext("request-1"))
    try:
        log_security_event("REVOKED", kind="token", actor="user", tenant_id="org-1")
    finally:
        begin_request(RequestContext())
    log_security_event("REVOCATION_LIFTED", kind="kid", actor="operator")
    assert [vars(record)["context"] for record in caplog.records] == [
        {"event": "REVOKED", "kind": "token", "tenant_id": "org-1", "actor": "user", "request_id": "request-1"},
        {"event": "REVOCATION_LIFTED", "kind": "kid", "tenant_id": None, "actor": "operator", "request_id": None},
    ]


def test_the_docs_list_each_event() -> None:
    assert {*get_args(Event.__value__)} == EVENTS.keys()
    page = PAGE.read_text(encoding="utf-8")
    for name, meaning in EVENTS.items():
        assert f"| `{name}` | {meaning} |" in page
