"""Refused requests and their events: only what was verified names a tenant's log."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tenantgate.audit.denials import record_denied, record_refused
from tenantgate.audit.line import Marked
from tenantgate.audit.models import Event
from tenantgate.context import RequestContext, begin_request
from tenantgate.errors.access import AuthenticationRequired, CsrfTokenWrong, InsufficientScope, StepUpRequired
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import (
    InvalidSignature,
    ProviderUnreachable,
    TenantMalformed,
    TenantNotAllowed,
    TokenExpired,
)
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.audit.marked import collected


class Caller(NamedTuple):
    tenant_id: str = "org-1"
    issuer: str = "https://issuer.example"
    user_id: str = "user-1"
    session_id: str | None = None


def event_of(
    monkeypatch: pytest.MonkeyPatch, error: TenantgateError, caller: Caller | None = None, *, presented: bool = True
) -> Marked | None:
    error.caller = caller
    with collected(monkeypatch) as found:
        record_refused(error, presented=presented, route="api GET /orders")
    assert len(found) <= 1
    for one in found:
        # The declaration allows exactly this.
        Event(one.event, one.log, one.outcome, None, one.resource_type, one.resource_id, detail=one.detail)  # type: ignore[arg-type]
        assert one.detail["error_code"] == error.error.code
    return found[0] if found else None


@pytest.mark.parametrize(
    ("error", "caller", "event", "log"),
    [
        pytest.param(TokenExpired("x"), Caller(), "AUTH_TOKEN_EXPIRED", "org-1", id="expired"),
        pytest.param(TokenExpired("x"), None, "AUTH_TOKEN_EXPIRED", DEPLOYMENT, id="expired-without-a-tenant"),
        pytest.param(TokenRevoked("x"), Caller(), "AUTH_TOKEN_REFUSED", "org-1", id="revoked"),
        pytest.param(TokenRevoked("x"), None, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="of-a-revoked-key"),
        pytest.param(InvalidSignature("x"), None, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="forged"),
        pytest.param(TenantMalformed("x"), None, "AUTH_TOKEN_REFUSED", DEPLOYMENT, id="tenant-malformed"),
        pytest.param(CsrfTokenWrong("x"), None, "CROSS_SITE_REQUEST_REFUSED", DEPLOYMENT, id="csrf"),
        pytest.param(TenantNotAllowed("x"), Caller(), "TENANT_REFUSED", DEPLOYMENT, id="suspended"),
        pytest.param(TenantNotAllowed("x", tenant_id="org-1"), None, "TENANT_REFUSED", DEPLOYMENT, id="sign-in"),
    ],
)
def test_an_event_goes_to_the_log_that_was_proved(
    monkeypatch: pytest.MonkeyPatch, error: TenantgateError, caller: Caller | None, event: str, log: str
) -> None:
    found = event_of(monkeypatch, error, caller)
    assert found is not None
    assert (found.event, found.log) == (event, log)
    verified = ("https://issuer.example", "user-1")
    assert (found.issuer, found.user_id) == ((None, None) if log == DEPLOYMENT else verified)
    assert found.detail["check"] == type(error).__name__
    if event == "TENANT_REFUSED":
        assert (found.resource_type, found.resource_id) == ("tenant", "org-1")


@pytest.mark.parametrize("error", [AuthenticationRequired("x"), ProviderUnreachable("x")])
def test_other_errors_have_no_event(monkeypatch: pytest.MonkeyPatch, error: TenantgateError) -> None:
    assert event_of(monkeypatch, error) is None


def test_the_tokens_of_a_sign_in_leave_only_the_event_of_the_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert event_of(monkeypatch, InvalidSignature("x"), presented=False) is None


@pytest.mark.parametrize(
    "error",
    [
        InsufficientScope("missing_scope", check="missing_scope", rule="GET /orders/{id}"),
        StepUpRequired("missing_scope", check="missing_scope", rule="GET /orders/{id}"),
    ],
)
def test_a_denial_names_its_verified_caller_and_the_rules_route(
    monkeypatch: pytest.MonkeyPatch, error: TenantgateError
) -> None:
    request = RequestContext("request-0123")
    request.caller = Caller(session_id="s-1")
    begin_request(request)
    try:
        found = event_of(monkeypatch, error)
    finally:
        begin_request(RequestContext())
    assert found is not None
    assert (found.event, found.log) == ("AUTH_PERMISSION_DENIED", "org-1")
    assert (found.user_id, found.session_id) == ("user-1", "s-1")
    assert (found.resource_type, found.resource_id) == ("route", "GET /orders/{id}")
    assert (found.detail["check"], found.request_id) == ("missing_scope", "request-0123")


def test_a_denial_without_a_caller_is_in_no_tenants_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with collected(monkeypatch) as found:
        record_denied("AUTH_010", "no_rule", None)
    assert [(one.log, one.user_id) for one in found] == [(DEPLOYMENT, None)]
