"""Marked lines are read strictly, and no text of a caller makes one."""

from __future__ import annotations

import json
import logging
import time
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantgate.audit.denials import record_denied
from tenantgate.audit.line import LOGGER, MARK, Marked, write_line
from tenantgate.audit.models import Event
from tenantgate.audit.reading import LONGEST_LINE, OLDEST, LineRefused, read_line
from tenantgate.audit.types import EVENT_TYPES
from tenantgate.context import RequestContext, begin_request
from tenantgate.errors.tokens import InvalidSignature
from tenantgate.observability.logging import JsonFormatter
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.web.request_log import RequestLog, log_failure
from tests.fixtures.audit.marked import collected

NOW = 1_790_000_000.0
GOOD: dict[str, Any] = {
    "event_id": "0192f5a8-7c1e-4d3a-9b52-3f6f0c1d2e4b",
    "log": "org-1",
    "outcome": "denied",
    "actor": None,
    "resource_type": "token",
    "resource_id": None,
    "session_id": None,
    "issuer": "https://issuer.example",
    "user_id": "user-1",
    "request_id": "request-0123",
    "detail": {"error_code": "AUTH_003", "check": "TokenExpired"},
    "occurred_at": NOW,
}


def is_tenant(tenant_id: str) -> bool:
    return tenant_id in ("org-1", "org-2")


def line(event: object = "AUTH_TOKEN_EXPIRED", **changes: object) -> str:
    audit = {name: value for name, value in (GOOD | changes).items() if value != "absent"}
    return json.dumps({"logger": LOGGER, "message": MARK, "level": "INFO", "context": {"event": event, "audit": audit}})


def read(text: str) -> Marked:
    return read_line(text, is_tenant=is_tenant, clock=lambda: NOW)


def reason_of(text: str) -> str:
    with pytest.raises(LineRefused) as refused:
        read(text)
    return refused.value.reason


def test_our_line_is_read_as_it_was_written() -> None:
    assert read(line()) == Marked(event="AUTH_TOKEN_EXPIRED", **GOOD)


@pytest.mark.parametrize("event", [name for name, one in EVENT_TYPES.items() if one.lines is not None])
def test_every_type_that_a_line_may_have_survives_the_formatter(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = EVENT_TYPES[event]
    values: dict[type, object] = {str: "x", int: 3, list: ["x"]}
    made = Marked(
        event,
        str(uuid4()),
        "org-1" if declared.lines == "any" else DEPLOYMENT,
        declared.outcomes[0],
        None,
        declared.resources[0] if declared.resources else None,
        None,
        str(uuid4()),
        "https://issuer.example" if declared.lines == "any" else None,
        "user-ü\U0001f600" if declared.lines == "any" else None,
        None,
        {name: values[member.type] for name, member in declared.detail.items()},
        time.time(),
    )
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger(LOGGER), "handle", records.append)
    write_line(made)
    (record,) = records
    assert read_line(JsonFormatter(service="authorizer").format(record), is_tenant=is_tenant) == made


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "not JSON", id="empty"),
        pytest.param("[" * 10_000, "not JSON", id="deep"),
        pytest.param(line().replace(": 1790000000.0", ": NaN"), "not JSON", id="not-a-number"),
        pytest.param(line().replace('"log":', '"log": "org-2", "log":'), "not JSON", id="a-member-twice"),
        pytest.param("x" + line(), "not JSON", id="a-prefix"),
        pytest.param(line() + line(), "not JSON", id="two-lines-in-one"),
        pytest.param(line(detail={"check": "x" * LONGEST_LINE}), "too long", id="oversized"),
        pytest.param("[]", "members", id="not-an-object"),
        pytest.param(line().replace(LOGGER, "tenantgate.requests"), "not marked", id="another-logger"),
        pytest.param(line().replace(MARK, "request completed"), "not marked", id="another-message"),
        pytest.param(line(extra=1), "members", id="an-undeclared-member"),
        pytest.param(line(log="absent"), "members", id="a-missing-member"),
        pytest.param(line().replace('"audit": {', '"other": 1, "audit": {'), "members", id="an-undeclared-context"),
        pytest.param(line("AUTH_LOGIN_SUCCESS"), "type", id="a-type-that-only-its-act-records"),
        pytest.param(line("REVOKED"), "type", id="another-one"),
        pytest.param(line("NO_SUCH_TYPE"), "type", id="unknown"),
        pytest.param(line(["AUTH_TOKEN_EXPIRED"]), "type", id="a-list"),
        pytest.param(line(log="org-3"), "log", id="a-tenant-that-no-token-may-name"),
        pytest.param(line(log=None), "log", id="no-log"),
        pytest.param(line(log=DEPLOYMENT), "user", id="a-user-in-the-deployments-log"),
        pytest.param(
            line("AUTH_LOGIN_FAILED", resource_type=None, detail={}), "log", id="the-deployments-type-in-a-tenants-log"
        ),
        pytest.param(line(issuer=None), "user", id="half-a-user"),
        pytest.param(line(user_id="a\nb"), "user", id="a-user-with-a-line-break"),
        pytest.param(line(user_id="u" * 257), "user", id="a-long-user"),
        pytest.param(line(user_id=7), "user", id="a-number-as-user"),
        pytest.param(line(event_id="x"), "event id", id="no-uuid"),
        pytest.param(line(event_id=GOOD["event_id"].upper()), "event id", id="the-same-uuid-written-otherwise"),
        pytest.param(line(session_id="s-1"), "session id", id="session"),
        pytest.param(line(request_id="a b"), "request id", id="request"),
        pytest.param(line(resource_id="r" * 501), "resource id", id="resource"),
        pytest.param(line(actor="superuser"), "actor", id="actor"),
        pytest.param(line(outcome="success"), "not declared", id="outcome"),
        pytest.param(line(resource_type="session"), "not declared", id="resource-type"),
        pytest.param(line(resource_type=["token"]), "not declared", id="a-list-of-resource-types"),
        pytest.param(line(detail={"cookie": "x"}), "not declared", id="an-undeclared-detail"),
        pytest.param(line(detail={"check": {"a": 1}}), "not declared", id="a-nested-detail"),
        pytest.param(line(detail=[]), "detail", id="no-object"),
        pytest.param(line(occurred_at="now"), "time", id="no-time"),
        pytest.param(line(occurred_at=True), "time", id="a-boolean-time"),
        pytest.param(line(occurred_at=NOW + 301), "time", id="in-the-future"),
        pytest.param(line(occurred_at=NOW - OLDEST - 1), "time", id="long-ago"),
    ],
)
def test_any_other_line_is_refused_with_a_reason(text: str, reason: str) -> None:
    assert reason_of(text) == reason


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.sampled_from([line(), f"\n{line()}\n", f"\r{line()}\u2028", json.dumps(line())]))
def test_no_text_of_a_caller_makes_a_line(text: str) -> None:
    """Each text goes to everywhere where a request's own text is logged; each line stays one, and none is marked."""
    written: list[str] = []

    class Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(JsonFormatter(service="x").format(record))

    handler, logger = Capture(), logging.getLogger("tenantgate")
    logger.addHandler(handler)
    level, logger.level = logger.level, logging.DEBUG
    try:
        request = RequestLog(method=text, path=text, query=text, offered_id=text, gateway_request_id=text)
        logger.warning("%s", text)
        logger.warning(text)
        logger.error("failed", exc_info=ValueError(text), extra={"context": {text: text, "audit": text, "event": text}})
        log_failure(InvalidSignature(text, expected=text, actual=text, audit=text))
        request.completed(401)
    finally:
        logger.removeHandler(handler)
        logger.level = level
        begin_request(RequestContext())
    assert len(written) >= 5
    for one in written:
        assert len(one.splitlines()) == 1
        reason_of(one)


def test_a_forged_line_in_a_denials_values_stays_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = line(log="org-2", user_id="victim")
    with collected(monkeypatch) as found:
        record_denied(forged, forged, forged)
    (event,) = found
    assert event.log == DEPLOYMENT
    # The declaration bounds its length, but never reads it.
    made = Event("AUTH_PERMISSION_DENIED", DEPLOYMENT, "denied", None, "route", forged, detail=event.detail)
    assert made.stored(None).tenant_id == DEPLOYMENT
