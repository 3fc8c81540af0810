"""Decisions on session cookies, for every shape that can carry one."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tenantgate.authorizer.service import AuthorizerFailed
from tenantgate.identity.session_entry import TOMBSTONE
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
    keys_of,
    session_cookie,
    with_method,
)
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT

# The shapes whose events can be for any method.
METHOD_SHAPES = ("rest-request", "http-1.0", "http-2.0", "http-2.0-policy")
OWN_PAGE = {"origin": OWN_ORIGIN, "x_csrf_token": CSRF_TOKEN}


def _event(shape: str, secret: str, **headers: str) -> Event:
    """Return a read by cookie: GET /orders/42, or a handshake from an own page."""
    own = {"origin": APP_ORIGIN} if shape == "websocket" else {}
    return cookie_event(shape, f"theme=dark; {session_cookie(secret)}", **(own | headers))


def _post(shape: str, secret: str, *, method: str = "POST", **headers: str) -> Event:
    return with_method(cookie_event(shape, session_cookie(secret), **headers), method, "/orders")


def _status(shape: str, event: Event, values: MemoryValues, **options: Any) -> int:
    authorizer = cookie_authorizer(values, **options)
    return client_status(shape, event, lambda: authorizer.decide(event))


def _logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    [record] = [record for record in caplog.records if record.getMessage() in ("denied", "no decision")]
    context: dict[str, Any] = record.context  # type: ignore[attr-defined]
    return context


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_a_live_session_is_a_caller(shape: str) -> None:
    values = MemoryValues()
    event = _event(shape, values.start())
    response = cookie_authorizer(values).decide(event)
    assert _status(shape, event, values) == 200
    context = response["context"]
    assert (context["user_id"], context["tenant_id"], context["issuer"]) == ("user-1", TENANT, ISSUER)
    assert (context["auth_method"], context["session_id"], context["auth_time"]) == (
        "session",
        entry().session_id,
        NOW - 600,
    )
    assert context["expires_at"] == NOW + 36_000
    if shape != "http-2.0":
        assert response["principalId"] == f"{ISSUER}#user-1"


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_an_authorization_header_decides_even_if_it_is_malformed(shape: str) -> None:
    values = MemoryValues()
    secret = values.start()
    for authorization, status in ((f"Bearer {token()}", 200), ("Bearer x", 401), ("", 401), ("Session x", 401)):
        event = _event(shape, secret, authorization=authorization)
        assert _status(shape, event, values) == status
    assert values.read == 0


def test_a_websockets_token_among_the_subprotocols_decides() -> None:
    values = MemoryValues()
    event = _event("websocket", values.start(), sec_websocket_protocol="bearer, x.y.z")
    assert _status("websocket", event, values) == 401
    assert values.read == 0


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
@pytest.mark.parametrize(
    ("stored", "state"),
    [
        pytest.param(None, "missing", id="missing"),
        pytest.param(TOMBSTONE, "ended", id="tombstone"),
        pytest.param(b"{", "malformed", id="written-by-something-else"),
        pytest.param(entry(fresh_until=NOW).to_json(), "stale", id="stale"),
        pytest.param(entry(last_used_at=NOW - 1800).to_json(), "idle", id="idle"),
        pytest.param(entry(expires_at=NOW).to_json(), "expired", id="expired"),
    ],
)
def test_a_session_without_a_live_entry_is_401(
    shape: str, stored: bytes | None, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    values = MemoryValues()
    secret = values.start()
    values.values = {} if stored is None else {keys_of(secret).entry: stored}
    assert _status(shape, _event(shape, secret), values) == 401
    context = _logged(caplog)
    assert (context["error_code"], context["reason"], context["check"]) == ("AUTH_020", "session_ended", "session")
    assert (context["status"], context["actual"]) == (401, state)
    assert secret not in caplog.text


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_valkey_that_cannot_be_reached_is_500_and_never_401(shape: str, caplog: pytest.LogCaptureFixture) -> None:
    values = MemoryValues()
    event = _event(shape, values.start())
    values.down = True
    assert _status(shape, event, values) == 500
    context = _logged(caplog)
    assert (context["error_code"], context["reason"], context["status"]) == ("SYS_005", "cache_unavailable", 500)
    with pytest.raises(AuthorizerFailed):
        cookie_authorizer(values).decide(event)


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_two_session_cookies_are_401_whichever_is_genuine(shape: str) -> None:
    """A subdomain's page tosses a second cookie, before or after the genuine one."""
    values = MemoryValues()
    genuine, planted = values.start(), values.start(entry(user_id="attacker"))
    for first, second in ((genuine, planted), (planted, genuine), (genuine, genuine)):
        event = cookie_event(shape, f"{session_cookie(first)}; {session_cookie(second)}", origin=OWN_ORIGIN)
        assert _status(shape, event, values) == 401
    assert values.read == 0


@pytest.mark.parametrize("shape", METHOD_SHAPES)
@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        pytest.param(OWN_PAGE, 200, None, id="own-page"),
        pytest.param(OWN_PAGE | {"origin": APP_ORIGIN}, 200, None, id="an-allowed-origin"),
        pytest.param({"sec_fetch_site": "same-origin", "x_csrf_token": CSRF_TOKEN}, 200, None, id="fetch-metadata"),
        pytest.param({"sec_fetch_site": "none", "x_csrf_token": CSRF_TOKEN}, 200, None, id="typed-by-the-user"),
        pytest.param(OWN_PAGE | {"sec_fetch_site": "cross-site"}, 200, None, id="origin-before-fetch-metadata"),
        pytest.param({"x_csrf_token": CSRF_TOKEN}, 403, "cross_site_request", id="neither"),
        pytest.param(OWN_PAGE | {"origin": "https://evil.test"}, 403, "cross_site_request", id="another-site"),
        pytest.param(OWN_PAGE | {"origin": "null"}, 403, "cross_site_request", id="a-sandbox"),
        pytest.param(OWN_PAGE | {"origin": ""}, 403, "cross_site_request", id="an-empty-origin"),
        pytest.param(OWN_PAGE | {"origin": f"{OWN_ORIGIN}.evil.test"}, 403, "cross_site_request", id="a-longer-host"),
        pytest.param(OWN_PAGE | {"origin": f"{OWN_ORIGIN}/"}, 403, "cross_site_request", id="a-path"),
        pytest.param(
            {"sec_fetch_site": "same-site", "x_csrf_token": CSRF_TOKEN}, 403, "cross_site_request", id="a-subdomain"
        ),
        pytest.param({"origin": OWN_ORIGIN}, 403, "csrf_token_missing", id="no-csrf-token"),
        pytest.param(OWN_PAGE | {"x_csrf_token": ""}, 403, "csrf_token_missing", id="an-empty-csrf-token"),
        pytest.param(OWN_PAGE | {"x_csrf_token": CSRF_TOKEN[:-1]}, 403, "csrf_token_wrong", id="a-shorter-csrf-token"),
        pytest.param(OWN_PAGE | {"x_csrf_token": f"{CSRF_TOKEN}A"}, 403, "csrf_token_wrong", id="a-longer-csrf-token"),
        pytest.param(OWN_PAGE | {"x_csrf_token": CSRF_TOKEN.lower()}, 403, "csrf_token_wrong", id="in-lower-case"),
    ],
)
def test_a_change_needs_its_own_page_and_the_csrf_token(
    shape: str, headers: dict[str, str], status: int, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    values = MemoryValues()
    assert _status(shape, _post(shape, values.start(), **headers), values) == status
    if reason is not None:
        context = _logged(caplog)
        assert (context["error_code"], context["reason"], context["status"]) == ("AUTH_021", reason, 403)
        assert CSRF_TOKEN not in caplog.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"])
def test_every_method_that_is_not_safe_is_a_change(method: str) -> None:
    values = MemoryValues()
    secret = values.start()
    event = _post("http-2.0", secret, method=method)
    response = cookie_authorizer(values).decide(event)
    assert (response["isAuthorized"], response["context"]["reason"]) == (False, "cross_site_request")
    assert response["context"]["error_code"] == "AUTH_021"
    assert values.read == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_method_needs_neither(method: str) -> None:
    text = f'version = 1\n[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "{method} /orders"\n'
    values = MemoryValues()
    event = _post("http-2.0", values.start(), method=method, origin="https://evil.test")
    assert _status("http-2.0", event, values, text=text) == 200


@pytest.mark.parametrize(
    ("headers", "actual"),
    [
        ({"origin": "https://evil.test"}, "https://evil.test"),
        ({"sec_fetch_site": "same-site"}, "Sec-Fetch-Site: same-site"),
        ({}, None),
    ],
)
def test_the_log_says_where_a_change_came_from(
    headers: dict[str, str], actual: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    values = MemoryValues()
    assert _status("http-2.0", _post("http-2.0", values.start(), **headers), values) == 403
    context = _logged(caplog)
    assert (context["expected"], context["actual"]) == ([APP_ORIGIN, OWN_ORIGIN], actual)


def test_a_csrf_token_of_another_session_is_wrong() -> None:
    values = MemoryValues()
    values.start(entry(csrf_token="o" * 43))
    headers = OWN_PAGE | {"x_csrf_token": "o" * 43}
    assert _status("http-2.0", _post("http-2.0", values.start(), **headers), values) == 403


def test_an_entry_without_a_csrf_token_allows_no_change() -> None:
    values = MemoryValues()
    event = _post("http-2.0", values.start(entry(csrf_token="")), **OWN_PAGE | {"x_csrf_token": ""})
    assert _status("http-2.0", event, values) == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"origin": OWN_ORIGIN}, 200, id="own-page"),
        pytest.param({"origin": APP_ORIGIN}, 200, id="an-allowed-origin"),
        pytest.param({"origin": "https://evil.test"}, 403, id="another-site"),
        pytest.param({"sec_fetch_site": "cross-site"}, 403, id="fetch-metadata"),
        pytest.param({}, 403, id="neither"),
    ],
)
def test_a_handshake_needs_its_own_page(headers: dict[str, str], status: int) -> None:
    values = MemoryValues()
    event = cookie_event("websocket", session_cookie(values.start()), **headers)
    assert _status("websocket", event, values) == status


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_another_sites_request_does_not_mark_the_session_as_used(shape: str) -> None:
    values = MemoryValues()
    secret = values.start(entry(last_used_at=NOW - 100))
    event = _event(shape, secret, origin="https://evil.test")
    if shape != "websocket":
        event = with_method(event, "POST", "/orders")
    assert _status(shape, event, values) == 403
    assert (values.read, values.written) == (0, [])


def test_a_change_without_the_csrf_token_does_not_mark_the_session_as_used() -> None:
    values = MemoryValues()
    secret = values.start(entry(last_used_at=NOW - 100))
    assert _status("http-2.0", _post("http-2.0", secret, origin=OWN_ORIGIN), values) == 403
    assert values.written == []
    assert _status("http-2.0", _post("http-2.0", secret, **OWN_PAGE), values) == 200
    assert [value for _, value, _ in values.written] == [b"%d" % NOW]


@pytest.mark.parametrize("shape", METHOD_SHAPES)
@pytest.mark.parametrize("cookie", ["dead", "live", "down", "two"])
def test_a_public_route_stays_public_for_any_cookie(shape: str, cookie: str) -> None:
    values = MemoryValues()
    sent = session_cookie(values.start())
    if cookie == "dead":
        values.values.clear()
    values.down = cookie == "down"
    sent = f"{sent}; {sent}" if cookie == "two" else sent
    event = with_method(cookie_event(shape, sent), "GET", "/catalogue")
    assert _status(shape, event, values) == 200
    response = cookie_authorizer(values).decide(event)
    assert ([*response["context"]], values.read) == (["request_id"], 0)


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_without_a_session_cookie_a_credential_is_missing(shape: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert _status(shape, cookie_event(shape, "theme=dark", origin=OWN_ORIGIN), MemoryValues()) == 401
    assert _logged(caplog)["error_code"] == "AUTH_007"


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0-policy"])
def test_a_policy_for_a_cookie_opens_only_its_own_route(shape: str) -> None:
    """A cache would use it for another site's POST, although the docs forbid one."""
    values = MemoryValues()
    event = _event(shape, values.start())
    policy = cookie_authorizer(values).decide(event)["policyDocument"]
    arn = event.get("methodArn") or event["routeArn"]
    assert [(s["Effect"], s["Resource"]) for s in policy["Statement"]] == [("Allow", [arn])]


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0-policy"])
def test_a_policy_that_denies_a_cookie_allows_nothing(shape: str) -> None:
    values = MemoryValues()
    event = _event(shape, values.start(entry(scopes=())))
    policy = cookie_authorizer(values).decide(event)["policyDocument"]
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}
    assert _status(shape, event, values) == 403


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0-policy"])
def test_a_path_with_a_wildcard_gets_the_complete_policy(shape: str) -> None:
    values = MemoryValues()
    event = with_method(_event(shape, values.start()), "GET", "/orders/4*2")
    assert _status(shape, event, values) == 200


@pytest.mark.parametrize(
    ("rule", "changes", "allowed", "reason"),
    [
        pytest.param("max_auth_age_seconds = 600", {}, True, "", id="recent"),
        pytest.param("max_auth_age_seconds = 599", {}, False, "authentication_too_old", id="too-old"),
        pytest.param(
            "max_auth_age_seconds = 900",
            {"provider_auth_time": NOW - 1000},
            False,
            "authentication_too_old",
            id="signed-in-at-the-provider-before",
        ),
        pytest.param('acr = ["high"]', {"acr": "high"}, True, "", id="acr"),
        pytest.param('acr = ["high"]', {"acr": "low"}, False, "acr_too_weak", id="a-weak-acr"),
        pytest.param('acr = ["high"]', {}, False, "acr_too_weak", id="no-acr"),
        pytest.param('roles = ["clerk"]', {}, True, "", id="role"),
        pytest.param('roles = ["admin"]', {}, False, "missing_role", id="no-role"),
        pytest.param('scopes = ["orders:pay"]', {}, False, "missing_scope", id="no-scope"),
        pytest.param('issuers = ["https://other.test"]', {}, False, "issuer_not_allowed", id="another-issuer"),
    ],
)
def test_route_rules_apply_to_sessions(rule: str, changes: dict[str, Any], allowed: bool, reason: str) -> None:
    text = f'version = 1\n[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "GET /orders/{{id}}"\n{rule}\n'
    values = MemoryValues()
    response = cookie_authorizer(values, text=text).decide(_event("http-2.0", values.start(entry(**changes))))
    assert (response["isAuthorized"], response["context"].get("reason", "")) == (allowed, reason)


def test_a_header_that_was_sent_twice_is_refused() -> None:
    values = MemoryValues()
    for name in ("origin", "x-csrf-token"):
        event = _post("rest-request", values.start(), **OWN_PAGE)
        event["multiValueHeaders"][name].append(event["headers"][name])
        assert _status("rest-request", event, values) == 401
