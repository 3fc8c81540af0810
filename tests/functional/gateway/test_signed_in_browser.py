"""A signed-in browser at a route behind the authorizer, in the running product: the web functions wrote its session."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx2
import pytest

from tenantgate.identity.session_cookie import SESSION_COOKIE
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import sign_in_by_redirect
from tests.functional.gateway.test_dev import command


@pytest.fixture
def browser(gateway: RunningStack) -> Iterator[Browser]:
    with Browser() as browser:
        assert sign_in_by_redirect(browser, gateway.url).status_code == 303
        yield browser


def _me(gateway: RunningStack, cookie: str, **headers: str) -> httpx2.Response:
    return httpx2.get(
        f"{gateway.url}/api/v1/auth/me", headers={"cookie": cookie, **headers}, timeout=30, trust_env=False
    )


def _cookie(browser: Browser) -> str:
    [(name, secret)] = browser.named(SESSION_COOKIE).items()
    return f"{name}={secret}"


def test_the_session_of_the_sign_in_is_accepted_at_once(gateway: RunningStack, browser: Browser) -> None:
    response = browser.get(f"{gateway.url}/api/v1/auth/me")
    assert response.status_code == 200
    caller = response.json()
    assert (caller["auth_method"], caller["issuer"]) == ("session", f"{gateway.url}/idp")


def test_an_authorization_header_decides_next_to_the_cookie(gateway: RunningStack, browser: Browser) -> None:
    assert _me(gateway, _cookie(browser), authorization="Bearer x").status_code == 401


def test_a_planted_cookie_is_refused_and_explained(gateway: RunningStack, browser: Browser) -> None:
    """Session fixation: no secret counts that a sign-in didn't issue."""
    genuine = _cookie(browser)
    planted = genuine[:-1] + ("A" if genuine[-1] != "A" else "E")
    denied = _me(gateway, planted)
    assert (denied.status_code, denied.json()) == (401, {"message": "Unauthorized"})
    request_id = denied.headers["apigw-requestid"]
    words = r"GET     /api/v1/auth/me  401 denied: session_ended \(missing\)"
    gateway.wait_for_line(lambda line: re.match(words, line) is not None and request_id in line)
    explained = command("explain", "--request", request_id, "--json", "--data-dir", str(gateway.data_dir)).stdout
    [found] = json.loads(explained)["requests"]
    assert (found["reason"], found["actual"]) == ("session_ended", "the entry: missing")
    assert "POST /api/v1/auth/refresh" in found["remedy"]
    for ambiguous in (f"{genuine}; {planted}", f"{planted}; {genuine}", genuine.lower()):
        assert _me(gateway, ambiguous).status_code == 401
    assert _me(gateway, genuine).status_code == 200
    assert genuine.partition("=")[2] not in gateway.logs()


def test_a_session_that_was_signed_out_is_refused_at_once(gateway: RunningStack, browser: Browser) -> None:
    cookie = _cookie(browser)
    signed_out = browser.post_json(f"{gateway.url}/api/v1/auth/logout", {}, headers={"origin": gateway.url})
    assert signed_out.status_code == 200, signed_out.text
    assert _me(gateway, cookie).status_code == 401


def test_a_new_sign_in_replaces_the_old_session(gateway: RunningStack, browser: Browser) -> None:
    """A secret that an attacker knew before the sign-in is worthless after it."""
    before = _cookie(browser)
    assert sign_in_by_redirect(browser, gateway.url).status_code == 303
    assert _cookie(browser) != before
    assert (_me(gateway, before).status_code, _me(gateway, _cookie(browser)).status_code) == (401, 200)
