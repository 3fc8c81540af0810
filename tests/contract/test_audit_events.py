"""The real flows leave the same audit events over the gateway and in the container."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
import pytest

from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate_cli.commands import revoke, tenants
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.minting import mint
from tenantgate_cli.stack.token_request import Wanted
from tests.fixtures.audit.recording import rows
from tests.fixtures.browsers.scripted import Browser, form_of
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import access_token, sign_in_by_redirect
from tests.fixtures.stack.settings import stack_settings
from tests.fixtures.tokens.issuer import TENANT

pytestmark = pytest.mark.xdist_group("stacks")

SESSION = "__Host-tg_session"
AUTH = "/api/v1/auth"
EVENTS = "/api/v1/audit/events"
ALL_OF = "SELECT * FROM audit_events WHERE request_id = $1"
_FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(params=["gateway", "container"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    found: RunningStack = request.getfixturevalue(request.param)
    return found


def events(stack: RunningStack, *responses: httpx2.Response) -> list[dict[str, Any]]:
    """Return the events of these requests, in all logs, without those of a tenant's first sign-in."""
    query = "SELECT * FROM audit_events WHERE request_id = ANY($1) ORDER BY created_at, id"
    found = rows(stack, query, [response.headers["x-request-id"] for response in responses])
    return [row for row in found if row["event_type"] != "TENANT_REGISTERED"]


def named(stack: RunningStack, resource_id: str) -> list[tuple[str, str, str | None]]:
    """Return the type, the actor and the log of the events about a resource."""
    query = "SELECT * FROM audit_events WHERE resource_id = $1 ORDER BY created_at, id"
    return [(row["event_type"], row["actor"], row["tenant_id"]) for row in rows(stack, query, resource_id)]


@pytest.mark.records("AUTH_LOGIN_SUCCESS", "AUTH_TOKEN_REFRESHED", "AUTH_LOGOUT")
def test_a_sign_in_its_refresh_and_its_end_are_recorded(stack: RunningStack) -> None:
    with Browser() as browser:
        started = sign_in_by_redirect(browser, stack.url)
        assert started.status_code == 303
        refreshed = browser.post_json(f"{stack.url}{AUTH}/refresh", {}, headers={"origin": stack.url})
        assert refreshed.status_code == 200
        ended = browser.post_json(f"{stack.url}{AUTH}/logout", {}, headers={"origin": stack.url})
        assert ended.status_code == 200
    acts = events(stack, started, refreshed, ended)
    assert [row["event_type"] for row in acts] == ["AUTH_LOGIN_SUCCESS", "AUTH_TOKEN_REFRESHED", "AUTH_LOGOUT"]
    assert [row["request_id"] for row in acts] == [
        response.headers["x-request-id"] for response in (started, refreshed, ended)
    ]
    # All are of one user. None names it in clear text.
    assert len({row["user_digest"] for row in acts}) == 1
    assert None not in [row["encrypted_user"] for row in acts]
    assert "demo" not in str([{name: value for name, value in row.items() if name != "tenant_id"} for row in acts])


@pytest.mark.records("AUTH_LOGIN_FAILED")
def test_a_forged_response_writes_only_into_the_deployments_own_log(stack: RunningStack) -> None:
    forged = {"state": str(uuid4()), "code": "x", "iss": f"https://{TENANT}.example"}
    response = httpx2.post(f"{stack.url}{AUTH}/callback", json=forged, trust_env=False, timeout=30)
    assert response.status_code == 403
    (row,) = events(stack, response)
    assert (row["event_type"], row["tenant_id"], row["outcome"]) == ("AUTH_LOGIN_FAILED", DEPLOYMENT, "denied")
    assert json.loads(row["detail"])["error_code"] == "AUTH_002"
    assert row["encrypted_detail"] is not None
    assert "127.0.0.1" not in str(row)


@pytest.mark.records("SESSION_ENDED", "BACKCHANNEL_LOGOUT")
def test_a_sign_out_at_the_provider_is_recorded_in_both_logs(stack: RunningStack) -> None:
    with Browser() as browser:
        started = sign_in_by_redirect(browser, stack.url)
        (session,) = events(stack, started)
        action, fields = form_of(browser.get(f"{stack.url}/idp/end_session"))
        assert "You are no longer signed in" in browser.submit(action, fields).text
    ended, received = rows(
        stack,
        "SELECT * FROM audit_events WHERE session_id = $1 AND event_type = 'SESSION_ENDED' UNION ALL"
        " (SELECT * FROM audit_events WHERE event_type = 'BACKCHANNEL_LOGOUT' ORDER BY created_at DESC LIMIT 1)",
        session["session_id"],
    )
    assert (ended["tenant_id"], received["tenant_id"]) == (session["tenant_id"], DEPLOYMENT)
    assert ended["request_id"] == received["request_id"]
    assert (ended["actor"], json.loads(ended["detail"])) == ("provider", {"reason": "provider_sign_out"})
    assert ended["user_digest"] == session["user_digest"]
    assert received["user_digest"] is None


@pytest.mark.records("LOGOUT_TOKEN_REFUSED")
def test_a_forged_logout_token_is_recorded(stack: RunningStack) -> None:
    body = urlencode({"logout_token": "a.b.c"})
    response = httpx2.post(f"{stack.url}{AUTH}/backchannel-logout", content=body, headers=_FORM, trust_env=False)
    assert response.status_code == 400
    (row,) = events(stack, response)
    assert (row["event_type"], row["tenant_id"], row["outcome"]) == ("LOGOUT_TOKEN_REFUSED", DEPLOYMENT, "denied")


@pytest.mark.records("SESSION_SECRET_REUSED", "SESSION_ENDED")
def test_a_stolen_cookie_is_recorded_with_the_end_of_its_session(stack: RunningStack) -> None:
    with Browser() as browser:
        (session,) = events(stack, sign_in_by_redirect(browser, stack.url))
        stolen = browser.named(SESSION)[SESSION]
        refreshed = browser.post_json(f"{stack.url}{AUTH}/refresh", {}, headers={"origin": stack.url})
        assert refreshed.status_code == 200
    # The grace is over.
    earlier = "UPDATE sessions SET rotated_at = rotated_at - interval '5 minutes' WHERE id = $1 RETURNING id"
    assert rows(stack, earlier, session["session_id"])
    headers = {"cookie": f"{SESSION}={stolen}", "origin": stack.url}
    used = httpx2.post(f"{stack.url}{AUTH}/refresh", headers=headers, trust_env=False, timeout=30)
    assert (used.status_code, used.json()["error"]["code"]) == (401, "AUTH_023")
    found = {row["event_type"]: row for row in events(stack, used)}
    assert found.keys() == {"SESSION_SECRET_REUSED", "SESSION_ENDED"}
    assert {row["user_digest"] for row in found.values()} == {session["user_digest"]}


@pytest.mark.records("REVOKED")
def test_a_token_that_is_signed_out_is_recorded_in_its_tenants_log(stack: RunningStack) -> None:
    with Browser() as browser:
        token = access_token(browser, stack.url)
    headers = {"authorization": f"Bearer {token}"}
    response = httpx2.post(f"{stack.url}{AUTH}/logout", headers=headers, trust_env=False, timeout=30)
    assert response.status_code == 200
    (row,) = events(stack, response)
    assert (row["event_type"], row["resource_type"], row["resource_id"]) == ("REVOKED", "token", None)
    assert row["tenant_id"] != DEPLOYMENT


@pytest.mark.records("REVOKED", "REVOCATION_LIFTED")
def test_a_revoked_key_id_and_its_return_are_recorded(stack: RunningStack) -> None:
    place, kid = revoke.Place(stack.data_dir, None, as_json=True), f"kid-{uuid4()}"
    issuer = stack_settings(stack)["OIDC_ISSUER_URL"]
    revoke.revoke_kid(kid, issuer, place, lift=False)
    revoke.revoke_kid(kid, issuer, place, lift=True)
    assert named(stack, kid) == [
        ("REVOKED", "operator", DEPLOYMENT),
        ("REVOCATION_LIFTED", "operator", DEPLOYMENT),
    ]


@pytest.mark.records("TENANT_REGISTERED", "TENANT_CHANGED")
def test_a_new_tenant_and_its_change_are_recorded_in_its_own_log(stack: RunningStack) -> None:
    tenant = f"org-{uuid4()}"
    tenants.add(tenant, {}, stack.data_dir, None, as_json=True)
    tenants.change(tenant, {"status": "suspended"}, stack.data_dir, None, as_json=True)
    assert named(stack, tenant) == [
        ("TENANT_REGISTERED", "operator", tenant),
        ("TENANT_CHANGED", "operator", tenant),
    ]


@pytest.mark.records("DATA_ACCESS")
def test_a_tenants_auditor_reads_its_events_and_is_recorded(stack: RunningStack) -> None:
    with Browser() as browser:
        (signed_in,) = events(stack, sign_in_by_redirect(browser, stack.url))
    auditor = {"authorization": f"Bearer {minted(stack, 'audit:read')}"}
    query = {"event_type": "AUTH_LOGIN_SUCCESS", "session_id": str(signed_in["session_id"]), "limit": "1"}
    response = httpx2.get(f"{stack.url}{EVENTS}", params=query, headers=auditor, trust_env=False, timeout=30)
    assert response.status_code == 200
    (event,) = response.json()["events"]
    assert (event["id"], event["person"], event["address"]) == (str(signed_in["id"]), "known", "127.0.0.1")
    assert event["user_id"]
    (row,) = events(stack, response)
    assert (row["event_type"], row["tenant_id"], row["actor"]) == ("DATA_ACCESS", signed_in["tenant_id"], "user")
    assert json.loads(row["detail"])["filters"] == ["event_type", "session_id"]
    # The auditor, a demo user too, is found by its own id.
    mine = {"user_id": event["user_id"], "event_type": "DATA_ACCESS", "request_id": row["request_id"]}
    found = httpx2.get(f"{stack.url}{EVENTS}", params=mine, headers=auditor, trust_env=False, timeout=30).json()
    assert [one["id"] for one in found["events"]] == [str(row["id"])]


def test_without_the_scope_no_event_is_read(stack: RunningStack) -> None:
    with Browser() as browser:
        sign_in_by_redirect(browser, stack.url)
        by_session = browser.get(f"{stack.url}{EVENTS}", accept="application/json")
    headers = {"authorization": f"Bearer {minted(stack, 'orders:read')}"}
    by_token = httpx2.get(f"{stack.url}{EVENTS}", headers=headers, trust_env=False, timeout=30)
    assert (by_session.status_code, by_token.status_code) == (403, 403)
    assert "DATA_ACCESS" not in [row["event_type"] for row in rows(stack, ALL_OF, by_token.headers.get("x-request-id"))]


def minted(stack: RunningStack, scope: str) -> str:
    """Return an access token of the demo user."""
    return mint(DataFolder(stack.data_dir), Wanted(scopes=[scope])).access_token
