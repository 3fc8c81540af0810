"""Session cookies and revocations: the entry in Valkey may outlive the end of its user, tenant or issuer."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.revoked.names import issuer_name, session_name, tenant_name, user_name
from tenantgate.revoked.snapshot import Snapshot
from tests.fixtures.authorizer.events import Event
from tests.fixtures.authorizer.guarded import token
from tests.fixtures.authorizer.integrations import client_status
from tests.fixtures.authorizer.sessions import (
    APP_ORIGIN,
    COOKIE_SHAPES,
    CSRF_TOKEN,
    OWN_ORIGIN,
    MemoryValues,
    cookie_authorizer,
    cookie_event,
    entry,
    session_cookie,
    with_method,
)
from tests.fixtures.revoked.snapshots import snapshot
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT

SESSION = session_name(TENANT, entry().session_id)
USER = user_name(TENANT, ISSUER, "user-1")
SIGNED_IN = NOW - 600


def _unknown() -> Snapshot:
    raise RevocationUnknown("the list of revocations is too old")


def _event(shape: str, secret: str) -> Event:
    own = {"origin": APP_ORIGIN} if shape == "websocket" else {}
    return cookie_event(shape, session_cookie(secret), **own)


def _logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    [record] = [record for record in caplog.records if record.getMessage() in ("denied", "no decision")]
    context: dict[str, Any] = record.context  # type: ignore[attr-defined]
    return context


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
@pytest.mark.parametrize(
    ("revoked", "outcome"),
    [
        pytest.param(snapshot(exact=[SESSION]), (401, "AUTH_020", "session"), id="session"),
        pytest.param(snapshot(until={USER: SIGNED_IN}), (401, "AUTH_020", "session"), id="user"),
        pytest.param(snapshot(until={tenant_name(TENANT): SIGNED_IN}), (401, "AUTH_020", "session"), id="tenant"),
        pytest.param(snapshot(suspended=[tenant_name(TENANT)]), (403, "AUTH_005", "tenant"), id="suspended"),
        pytest.param(snapshot(registered=[]), (403, "AUTH_005", "tenant"), id="registration-is-closed"),
        pytest.param(
            snapshot(issuers={tenant_name(TENANT): [issuer_name("https://other.test/")]}),
            (403, "AUTH_005", "tenant"),
            id="issuer",
        ),
    ],
)
def test_a_revoked_session_is_no_caller_and_is_not_marked(
    shape: str, revoked: Snapshot, outcome: tuple[int, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tenantgate")
    values = MemoryValues()
    event = _event(shape, values.start(entry(last_used_at=NOW - 100)))
    authorizer = cookie_authorizer(values, revocations=lambda: revoked)
    status = client_status(shape, event, lambda: authorizer.decide(event))
    context = _logged(caplog)
    assert (status, context["error_code"], context["check"]) == outcome
    assert values.written == []


@pytest.mark.parametrize(
    "other",
    [
        snapshot(exact=[session_name(TENANT, "another"), session_name("other", entry().session_id)]),
        # Our own clock: no leeway.
        snapshot(until={USER: SIGNED_IN - 1, tenant_name(TENANT): SIGNED_IN - 1}),
        snapshot(suspended=[tenant_name("other")], registered=[tenant_name(TENANT)]),
        snapshot(issuers={tenant_name(TENANT): [issuer_name(ISSUER)]}),
    ],
    ids=["sessions", "an-earlier-sign-in", "tenants", "issuers"],
)
def test_a_session_that_is_not_revoked_is_a_caller(other: Snapshot) -> None:
    values = MemoryValues()
    event = _event("http-2.0", values.start())
    assert cookie_authorizer(values, revocations=lambda: other).decide(event)["isAuthorized"] is True


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_without_a_list_of_revocations_there_is_no_decision(shape: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tenantgate")
    values = MemoryValues()
    event = _event(shape, values.start(entry(last_used_at=NOW - 100)))
    authorizer = cookie_authorizer(values, revocations=_unknown)
    assert client_status(shape, event, lambda: authorizer.decide(event)) == 500
    context = _logged(caplog)
    assert (context["error_code"], context["reason"], context["check"]) == (
        *("SYS_011", "revocation_unknown", "revocation"),
    )
    assert values.written == []


def test_the_other_checks_of_a_cookie_come_first() -> None:
    values = MemoryValues()
    secret = values.start()
    authorizer = cookie_authorizer(values, revocations=_unknown)

    def status(event: Event) -> int:
        return client_status("http-2.0", event, lambda: authorizer.decide(event))

    def post(**headers: str) -> Event:
        return with_method(cookie_event("http-2.0", session_cookie(secret), **headers), "POST", "/orders")

    assert status(post(origin="https://evil.test", x_csrf_token=CSRF_TOKEN)) == 403
    assert status(post(origin=OWN_ORIGIN, x_csrf_token="x" * 43)) == 403
    assert status(post(origin=OWN_ORIGIN, x_csrf_token=CSRF_TOKEN)) == 500
    values.values.clear()
    assert status(_event("http-2.0", secret)) == 401


def test_public_routes_and_missing_credentials_need_no_list() -> None:
    authorizer = cookie_authorizer(MemoryValues(), revocations=_unknown)
    public, guarded = (with_method(cookie_event("http-2.0"), "GET", path) for path in ("/catalogue", "/orders/42"))
    assert client_status("http-2.0", public, lambda: authorizer.decide(public)) == 200
    assert client_status("http-2.0", guarded, lambda: authorizer.decide(guarded)) == 401


def test_a_token_of_a_revoked_user_is_a_401_next_to_any_cookie() -> None:
    values = MemoryValues()
    authorizer = cookie_authorizer(values, revocations=lambda: snapshot(until={USER: NOW}))
    event = cookie_event("http-2.0", session_cookie(values.start()), authorization=f"Bearer {token()}")
    assert client_status("http-2.0", event, lambda: authorizer.decide(event)) == 401
