"""Export and erasure of the caller's data, over the gateway and in the container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD
from tenantgate.privacy.models import LEDGER
from tests.fixtures.audit.recording import rows
from tests.fixtures.browsers.scripted import Browser, form_of, location
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.settings import stack_settings

pytestmark = pytest.mark.xdist_group("stacks")

SESSION = "__Host-tg_session"
EXPORTS, ME, SESSIONS = "/api/v1/privacy/exports", "/api/v1/privacy/me", "/api/v1/auth/sessions"
# No other test uses this persona's sessions.
MEMBER, MEMBER_ID = "member@example.test", "b7d94c02-1f6a-4e38-8c5b-90ad3e61f724"


@pytest.fixture(params=["gateway", "container"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    found: RunningStack = request.getfixturevalue(request.param)
    return found


def sign_in(browser: Browser, base: str) -> str:
    """Sign the member in, and return the session's CSRF token."""
    started = browser.get(f"{base}/api/v1/auth/login?{urlencode({'return_to': '/'})}")
    shown = browser.get(location(started))
    if not shown.is_redirect:
        action, hidden = form_of(shown)
        shown = browser.submit(action, {**hidden, "username": MEMBER, "password": DEMO_PASSWORD})
    assert browser.get(location(shown)).status_code == 303
    token: str = browser.get(base + SESSIONS, accept="application/json").json()["csrf_token"]
    return token


def ask(browser: Browser, base: str, method: str, path: str, body: object = None, **headers: str) -> httpx2.Response:
    given = {"cookie": f"{SESSION}={browser.named(SESSION).get(SESSION, '')}", "origin": base, **headers}
    content = None if body is None else json.dumps(body)
    if content is not None:
        given["content-type"] = "application/json"
    return httpx2.request(method, base + path, headers=given, content=content, trust_env=False, timeout=30)


def code_of(response: httpx2.Response) -> tuple[int, str | None]:
    error: Any = response.json().get("error")
    return response.status_code, None if error is None else error["code"]


@pytest.mark.records("PRIVACY_EXPORTED", "USER_ERASED", "SESSION_ENDED")
def test_a_user_gets_its_data_erases_it_and_signs_in_again(stack: RunningStack) -> None:
    with Browser() as browser:
        csrf = {"x-csrf-token": sign_in(browser, stack.url)}
        exported = ask(browser, stack.url, "POST", EXPORTS, **csrf).json()
        assert (exported["user_id"], exported["next_cursor"]) == (MEMBER_ID, None)
        (mine,) = exported["records"]["sessions"]
        assert mine["provider_tokens"] == "held"
        assert not {"secret_hash", "sealed_tokens", "csrf_token"} & mine.keys()
        events = exported["records"]["audit_events"]
        assert {one["user"]["user_id"] for one in events} == {MEMBER_ID}
        assert mine["id"] in {one["session_id"] for one in events}
        assert {one["kind"] for one in exported["records"]["provider"]} >= {"browser_session"}

        erased = ask(browser, stack.url, "DELETE", ME, **csrf)
        assert (erased.status_code, erased.json()["sessions"]) == (200, 1)
        # The ledger outside the database has it.
        folder = Path(stack_settings(stack)["AUDIT_ANCHOR_FOLDER"])
        (anchored,) = (folder / LEDGER).glob(f"{erased.json()['erasure_id']}-*.json")
        assert MEMBER_ID not in anchored.read_text(encoding="utf-8")
        assert erased.headers["set-cookie"].startswith(f"{SESSION}=; Max-Age=0")
        # The copied cookie is refused at once, also by the authorizer.
        assert ask(browser, stack.url, "GET", SESSIONS).status_code == 401
        assert ask(browser, stack.url, "DELETE", ME, **csrf).status_code == 401
    everything = [
        row
        for table in (
            "sessions",
            "provider_browser_sessions",
            "provider_authorization_codes",
            "provider_refresh_tokens",
        )
        for row in rows(stack, f"SELECT * FROM {table} WHERE user_id::text = $1", MEMBER_ID)
    ]
    assert everything == []
    with Browser() as browser:
        csrf = {"x-csrf-token": sign_in(browser, stack.url)}
        again = ask(browser, stack.url, "POST", EXPORTS, **csrf).json()["records"]
        assert not {one["id"] for one in again["data_keys"]} & {one["id"] for one in exported["records"]["data_keys"]}
        assert not {one["id"] for one in again["audit_events"]} & {one["id"] for one in events}
        assert ask(browser, stack.url, "DELETE", ME, **csrf).status_code == 200


def test_another_site_or_a_request_without_the_csrf_token_erases_nothing(stack: RunningStack) -> None:
    with Browser() as browser:
        csrf = {"x-csrf-token": sign_in(browser, stack.url)}
        for method, path in (("DELETE", ME), ("POST", EXPORTS)):
            for headers in ({**csrf, "origin": "https://evil.example"}, {}, {"x-csrf-token": "x" * 43}):
                assert ask(browser, stack.url, method, path, **headers).status_code == 403
        assert ask(browser, stack.url, "GET", SESSIONS).status_code == 200


def test_forged_cursors_and_bodies_of_another_form_are_refused(stack: RunningStack) -> None:
    with Browser() as browser:
        csrf = {"x-csrf-token": sign_in(browser, stack.url)}
        for body, expected in (
            ({"cursor": "AAAA"}, (400, "AUTH_120")),
            ({"cursor": "x" * 2001}, (422, "VAL_001")),
            ({"cursor": None, "user_id": "another"}, (422, "VAL_001")),
            ({"cursor": ["a"]}, (422, "VAL_001")),
        ):
            assert code_of(ask(browser, stack.url, "POST", EXPORTS, body, **csrf)) == expected


def test_an_old_sign_in_erases_nothing(stack: RunningStack) -> None:
    with Browser() as browser:
        csrf = {"x-csrf-token": sign_in(browser, stack.url)}
        (session,) = [
            one
            for one in browser.get(stack.url + SESSIONS, accept="application/json").json()["sessions"]
            if one["current"]
        ]
        earlier = "UPDATE sessions SET auth_time = auth_time - interval '6 minutes', version = version + 1"
        assert rows(stack, f"{earlier} WHERE id = $1::uuid RETURNING id", session["id"])
        # Into Valkey, too, for the authorizer.
        assert ask(browser, stack.url, "GET", SESSIONS).status_code == 200
        refused = ask(browser, stack.url, "DELETE", ME, **csrf)
        assert code_of(refused) == (401, "AUTH_011")
        assert 'max_age="300"' in refused.headers["www-authenticate"]
        assert ask(browser, stack.url, "GET", SESSIONS).status_code == 200
