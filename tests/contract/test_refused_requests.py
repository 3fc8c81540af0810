"""Refused requests and their audit events: over the gateway, through log lines, and in the container."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tenantgate.audit.line_limits import OF_THE_DEPLOYMENT, PERIOD
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate_cli.commands import tenants
from tenantgate_cli.paths import RULES
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.minting import mint
from tenantgate_cli.stack.token_request import Wanted
from tests.fixtures.audit.recording import rows
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.stack.commands import RunningStack, dev_stack, serve_stack
from tests.fixtures.stack.flow import sign_in_by_redirect
from tests.fixtures.tokens.issuer import b64, raw_signature

AUTH = "/api/v1/auth"
_KIND = {"gateway": dev_stack, "container": serve_stack}
_ME = 'route = "GET /api/v1/auth/me"'


# Separate stacks: the requests of other tests would count for the limits.
@pytest.fixture(scope="module", params=["gateway", "container"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("refused")
    rules = folder / "rules.toml"
    rules.write_text(Path(RULES).read_text("utf-8").replace(_ME, f'{_ME}\nscopes = ["no:such"]'))
    with _KIND[request.param](folder / "data", env={"ROUTE_RULES_FILE": str(rules)}) as running:
        yield running


def token(stack: RunningStack, **wanted: Any) -> str:
    return mint(DataFolder(stack.data_dir), Wanted(**wanted)).access_token


def claims_of(jwt: str) -> dict[str, Any]:
    payload = jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def call(stack: RunningStack, path: str, bearer: str, **headers: str) -> httpx2.Response:
    given = {"authorization": f"Bearer {bearer}", **headers}
    return httpx2.get(f"{stack.url}{AUTH}{path}", headers=given, trust_env=False, timeout=30)


def events(stack: RunningStack, *responses: httpx2.Response, count: int | None = None) -> list[dict[str, Any]]:
    """Return the events of these requests, one each, as soon as they are stored."""
    # API Gateway's own response to a denial has only its own id.
    ids = [one.headers.get("x-request-id") or one.headers["apigw-requestid"] for one in responses]
    query = "SELECT * FROM audit_events WHERE request_id = ANY($1) ORDER BY occurred_at"
    return _soon(lambda: rows(stack, query, ids), len(ids) if count is None else count)


def _soon(read: Callable[[], Sequence[dict[str, Any]]], count: int, seconds: float = 20.0) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while len(found := list(read())) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(found) == count
    return found


@pytest.mark.records("AUTH_TOKEN_EXPIRED", "AUTH_PERMISSION_DENIED")
def test_an_expired_token_and_a_denied_permission_are_in_the_log_of_their_tenant(stack: RunningStack) -> None:
    expired, good = token(stack, expires="-5m"), token(stack)
    responses = [call(stack, "/validate", expired), call(stack, "/me", expired), call(stack, "/me", good)]
    assert [one.status_code for one in responses] == [401, 401, 403]
    assert call(stack, "/validate", good).status_code == 200
    found = events(stack, *responses)
    assert [row["event_type"] for row in found] == ["AUTH_TOKEN_EXPIRED"] * 2 + ["AUTH_PERMISSION_DENIED"]
    assert {row["tenant_id"] for row in found} == {claims_of(good)["tenant_id"]}
    assert {row["outcome"] for row in found} == {"denied"}
    denied = found[2]
    assert denied["resource_id"].endswith("GET /api/v1/auth/me")
    assert json.loads(denied["detail"]) == {"error_code": "AUTH_010", "check": "missing_scope"}
    # All name the same user, under its key only.
    assert len({row["user_digest"] for row in found} - {None}) == 1
    for personal in (claims_of(good)["sub"], claims_of(good)["iss"]):
        assert personal not in str([{**row, "encrypted_user": ""} for row in found])


def forged(good: str, **changes: str) -> Iterator[str]:
    """Yield tokens that claim a tenant, and that nothing proves."""
    header, payload, signature = good.split(".")
    claims = claims_of(good) | changes
    body = b64(json.dumps(claims))
    yield f"{b64(json.dumps({'alg': 'none', 'typ': 'at+jwt'}))}.{body}."
    yield f"{header}.{body}.{signature}"
    yield f"{header}.{payload}.{signature[:-4]}AAAA"
    unknown = f"{b64(json.dumps({'alg': 'RS256', 'typ': 'at+jwt', 'kid': 'rsa-1'}))}.{body}"
    yield f"{unknown}.{b64(raw_signature(unknown, 'RS256', 'rsa-1'))}"


@pytest.mark.records("AUTH_TOKEN_REFUSED")
def test_a_forged_token_is_in_no_tenants_log(stack: RunningStack) -> None:
    good = token(stack)
    victim = claims_of(good)["tenant_id"]
    before = rows(stack, "SELECT count(*) AS number FROM audit_events WHERE tenant_id = $1", victim)
    responses = [call(stack, path, one) for one in forged(good, sub="another") for path in ("/validate", "/me")]
    assert {one.status_code for one in responses} == {401}
    found = events(stack, *responses)
    assert {(row["event_type"], row["tenant_id"]) for row in found} == {("AUTH_TOKEN_REFUSED", DEPLOYMENT)}
    assert {row["user_digest"] for row in found} == {None}
    assert victim not in str(found)
    assert rows(stack, "SELECT count(*) AS number FROM audit_events WHERE tenant_id = $1", victim) == before


def test_what_a_caller_sends_makes_no_event(stack: RunningStack) -> None:
    line = json.dumps(
        {
            "logger": "tenantgate.audit.line",
            "message": "audit event",
            "context": {"event": "AUTH_PERMISSION_DENIED", "audit": {"log": claims_of(token(stack))["tenant_id"]}},
        }
    )
    before = rows(stack, "SELECT count(*) AS number FROM audit_events WHERE event_type = 'AUTH_PERMISSION_DENIED'")
    sent = {"user-agent": line, "referer": line, "origin": line, "x-api-key": line}
    url = f"{stack.url}{AUTH}/validate"
    httpx2.get(url, params={"a": line, line: "b"}, headers=sent, trust_env=False, timeout=30)
    httpx2.post(url, content=f"\n{line}\n", headers=sent, trust_env=False, timeout=30)
    call(stack, "/validate", token(stack), **sent)
    time.sleep(1.5)
    after = rows(stack, "SELECT count(*) AS number FROM audit_events WHERE event_type = 'AUTH_PERMISSION_DENIED'")
    assert after == before


@pytest.mark.records("CROSS_SITE_REQUEST_REFUSED")
def test_a_request_of_another_site_is_in_the_deployments_log(stack: RunningStack) -> None:
    with Browser() as browser:
        sign_in_by_redirect(browser, stack.url)
        refused = browser.post_json(f"{stack.url}{AUTH}/refresh", {}, headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    (row,) = events(stack, refused)
    assert (row["event_type"], row["tenant_id"], row["session_id"]) == ("CROSS_SITE_REQUEST_REFUSED", DEPLOYMENT, None)


@pytest.mark.records("TENANT_REFUSED")
def test_a_token_of_a_suspended_tenant_is_in_the_deployments_log(stack: RunningStack) -> None:
    good = token(stack)
    tenant = claims_of(good)["tenant_id"]
    tenants.change(tenant, {"status": "suspended"}, stack.data_dir, None, as_json=True)
    try:
        deadline = time.monotonic() + 15
        while (refused := call(stack, "/validate", good)).status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.3)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AUTH_005")
        (row,) = events(stack, refused)
        assert (row["event_type"], row["tenant_id"], row["resource_id"]) == ("TENANT_REFUSED", DEPLOYMENT, tenant)
    finally:
        tenants.change(tenant, {"status": "active"}, stack.data_dir, None, as_json=True)


@pytest.mark.records("EVENTS_LEFT_OUT", "AUTH_TOKEN_REFUSED")
def test_a_flood_of_forged_tokens_leaves_a_few_events_and_a_count(stack: RunningStack) -> None:
    bad = next(forged(token(stack)))
    time.sleep(PERIOD + 0.5)
    call(stack, "/validate", bad)
    began = time.monotonic()
    flood = [call(stack, "/validate", bad) for _ in range(39)]
    assert {one.status_code for one in flood} == {401}
    taken = time.monotonic() - began
    while time.monotonic() < began + taken + PERIOD + 0.5:
        time.sleep(0.5)
    with suppress(httpx2.HTTPError):
        call(stack, "/validate", bad)
    query = "SELECT * FROM audit_events WHERE event_type = 'EVENTS_LEFT_OUT' ORDER BY created_at DESC"
    left_out = _soon(lambda: rows(stack, query)[:1], 1)[0]
    detail = json.loads(left_out["detail"])
    assert (left_out["tenant_id"], detail["event_type"]) == (DEPLOYMENT, "AUTH_TOKEN_REFUSED")
    stored = len(events(stack, *flood, count=OF_THE_DEPLOYMENT - 1))
    assert detail["count"] == len(flood) - stored
