"""Marked lines: what they have, that no caller changes them, and that none fails a request."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tenantgate.audit.line import LOGGER, MARK, Marked, deliver_to, mark, refused
from tenantgate.audit.line_limits import OF_THE_DEPLOYMENT, PERIOD
from tenantgate.audit.models import Event
from tenantgate.audit.reading import read_line
from tenantgate.context import RequestContext, begin_request, end_request
from tenantgate.observability.logging import configure_logging
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.audit.marked import collected
from tests.fixtures.tokens.issuer import ManualClock
from tests.fixtures.web.setup import log_lines

USER = ("https://issuer.example", "user-0123456789")


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_a_line_is_complete_at_every_level_even_if_the_caller_sends_its_words(
    level: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging(level=level, service="authorizer")
    sent = [*USER, "AUTH_PERMISSION_DENIED", "missing_scope", "session-0123456789", "org-0123456789", "permission"]
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.25)
    sent += ["1800000000", "1800000000.25", "20000000"]
    carry_secrets(CarriedSecrets([], "&".join(f"a={one}" for one in sent).encode()))
    begin_request(RequestContext("request-0123"))
    try:
        with collected(monkeypatch):
            deliver_to(None)
            refused(
                "AUTH_PERMISSION_DENIED",
                "org-0123456789",
                resource_type="route",
                resource_id="api GET /orders/{id}",
                session_id="session-0123456789",
                user=USER,
                detail={"error_code": "AUTH_010", "check": "missing_scope", "route": None, "count": 20_000_000},
            )
    finally:
        carry_secrets(None)
        begin_request(RequestContext())
    (line,) = log_lines(capsys.readouterr().out)
    audit = line["context"]["audit"]
    assert (line["message"], line["logger"], line["context"]["event"]) == (MARK, LOGGER, "AUTH_PERMISSION_DENIED")
    assert {name: audit[name] for name in audit if name != "event_id"} == {
        "occurred_at": 1_800_000_000.25,
        "log": "org-0123456789",
        "outcome": "denied",
        "actor": None,
        "resource_type": "route",
        "resource_id": "api GET /orders/{id}",
        "session_id": "session-0123456789",
        "issuer": USER[0],
        "user_id": USER[1],
        "request_id": "request-0123",
        "detail": {"error_code": "AUTH_010", "check": "missing_scope", "count": 20_000_000},
    }


@pytest.mark.parametrize(
    ("log", "user_id", "request_id"),
    [
        pytest.param("org-0123456789", "user-1", "A" * 40, id="a-request-id-like-a-key"),
        pytest.param("org-0123456789", "user-1", "a.eyJabcdef", id="a-request-id-like-a-token"),
        pytest.param("org-0123456789", "user-1", "AKIA" + "A" * 16, id="a-request-id-like-an-access-key"),
        pytest.param("org-0123456789", "user-1", "123-45-6789", id="a-request-id-like-a-number-of-a-person"),
        pytest.param("org-0123456789", "anna@example.com", "request-0123", id="an-address-as-a-user-id"),
        pytest.param("org-0123456789", "Zm9v" * 11, "request-0123", id="a-pairwise-user-id"),
        pytest.param("customer-eu-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4b", "user-1", "request-0123", id="a-long-tenant"),
    ],
)
def test_no_form_of_an_id_loses_or_changes_the_event(
    log: str, user_id: str, request_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging(level="INFO", service="authorizer")
    begin_request(RequestContext(request_id))
    with collected(monkeypatch):
        deliver_to(None)
        refused("AUTH_TOKEN_EXPIRED", log, resource_type="token", user=("https://issuer.example", user_id), detail={})
    read = read_line(capsys.readouterr().out, is_tenant=lambda tenant_id: tenant_id == log)
    assert (read.log, read.user_id, read.request_id) == (log, user_id, request_id)


def test_what_is_left_out_is_reported_with_a_later_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with collected(monkeypatch, clock := ManualClock()) as found:
        for _ in range(100):
            refused("AUTH_TOKEN_REFUSED", DEPLOYMENT, resource_type="token", detail={})
        assert len({one.event_id for one in found}) == OF_THE_DEPLOYMENT
        end_request()
        assert len(found) == OF_THE_DEPLOYMENT
        clock.pass_by(PERIOD)
        # Of an allowed request, which leaves no event.
        end_request()
        end_request()
    (count,) = found[OF_THE_DEPLOYMENT:]
    assert (count.event, count.log, count.request_id) == ("EVENTS_LEFT_OUT", DEPLOYMENT, None)
    assert count.detail == {"event_type": "AUTH_TOKEN_REFUSED", "count": 100 - OF_THE_DEPLOYMENT}


def test_a_sink_that_fails_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Marked) -> None:
        raise OSError("no space")

    deliver_to(fail)
    try:
        refused("AUTH_TOKEN_EXPIRED", "org-1", resource_type="token", detail={})
    finally:
        deliver_to(None)
    assert [record.getMessage() for record in caplog.records] == ["an audit event could not be delivered"]


@pytest.mark.anyio
async def test_an_event_that_could_not_be_stored_has_its_own_id(monkeypatch: pytest.MonkeyPatch) -> None:
    event = Event("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome="failure", address="203.0.113.0/24")
    with collected(monkeypatch) as found:
        await mark(event)
    (one,) = found
    assert (one.event_id, one.event, one.log, one.outcome) == (str(event.id), event.type, DEPLOYMENT, "failure")
    assert "203.0.113" not in str(one)


def test_the_authorizers_path_imports_no_package(tmp_path: Path) -> None:
    code = (
        "import sys, json; before = set(sys.modules); import tenantgate.audit.denials; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert set(json.loads(ran.stdout)) <= sys.stdlib_module_names | {"tenantgate"}


def test_the_logger_is_the_modules() -> None:
    assert logging.getLogger(LOGGER).level == logging.INFO
    assert mark.__module__ == LOGGER
