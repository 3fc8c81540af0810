"""Security events have one schema, and the docs list them."""

from __future__ import annotations

import logging
from typing import get_args

import pytest

from tenantgate.context import RequestContext, begin_request
from tenantgate.errors.access import AuthenticationRequired, CrossSiteRequest, CsrfTokenWrong
from tenantgate.errors.base import TenantgateError, Word
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.observability import security_events
from tenantgate.observability.security_events import EVENTS, MEMBERS, Event, Kind, log_security_event
from tenantgate.web.request_log import log_failure


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


def context_of(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    [record] = [record for record in caplog.records if record.name == security_events.__name__]
    context: dict[str, object] = vars(record)["context"]
    return context


@pytest.mark.parametrize("event", get_args(Event.__value__))
def test_every_event_is_declared_and_its_line_has_the_members_of_the_schema(
    event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    declared = EVENTS[event]
    caplog.set_level(logging.INFO, logger=security_events.__name__)
    log_security_event(
        event, kind=declared.kinds[0], actor="system", details=dict.fromkeys(declared.details, Word("value"))
    )
    assert list(context_of(caplog)) == [*MEMBERS, *declared.details]
    assert caplog.records[0].levelname == declared.level
    assert caplog.records[0].getMessage() == "security event"


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        pytest.param("kid", None, id="another-kind"),
        pytest.param("session", {"cookie": "secret"}, id="an-undeclared-detail"),
    ],
)
def test_nothing_undeclared_is_logged(
    kind: Kind, details: dict[str, object] | None, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="SESSION_ENDED is declared"):
        log_security_event("SESSION_ENDED", kind=kind, actor="user", details=details)
    with pytest.raises(ValueError, match="BACKCHANNEL_LOGOUT is declared"):
        log_security_event("BACKCHANNEL_LOGOUT", kind="logout_token", actor="provider", details={"sessions": 1})
    assert not caplog.records


@pytest.mark.parametrize(
    ("error", "event", "tenant_id"),
    [
        pytest.param(CrossSiteRequest("no origin"), "CROSS_SITE_REQUEST_REFUSED", None, id="origin"),
        pytest.param(CsrfTokenWrong("it is another one"), "CROSS_SITE_REQUEST_REFUSED", None, id="csrf-token"),
        pytest.param(TenantNotAllowed("suspended", tenant_id="org-1"), "TENANT_REFUSED", "org-1", id="tenant"),
    ],
)
def test_a_refused_request_of_these_errors_is_an_event(
    error: TenantgateError, event: str, tenant_id: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=security_events.__name__)
    log_failure(error)
    context = context_of(caplog)
    assert (context["event"], context["actor"], context["tenant_id"]) == (event, None, tenant_id)
    assert (context["error_code"], context["check"], context["reason"]) == (error.error.code, type(error), error)


def test_another_refused_request_is_not_an_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=security_events.__name__)
    log_failure(AuthenticationRequired("no credential"))
    assert [record.getMessage() for record in caplog.records if record.name == security_events.__name__] == []


def test_the_events_of_errors_are_declared() -> None:
    def classes(error: type[TenantgateError]) -> set[type[TenantgateError]]:
        return {error}.union(*map(classes, error.__subclasses__()))

    named = {error.security_event for error in classes(TenantgateError)} - {None}
    assert named
    assert named <= EVENTS.keys()
