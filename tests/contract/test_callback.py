"""The callback with the built-in provider, over the gateway and in the container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from tenantgate.login.attempts.transactions import COOKIE_PREFIX, MAX_DROPPED
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import SPA_CALLBACK, SPA_ORIGIN, submit_demo_sign_in

LONGEST_HEADERS = 10_240  # API Gateway's quota for the request line and all header values
CALLBACK, LOGIN = "/api/v1/auth/callback", "/api/v1/auth/login"
pytestmark = pytest.mark.xdist_group("stacks")

JSON = "application/json"


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


def response_to(browser: Browser, base: str, **query: str) -> dict[str, str]:
    """Return the built-in provider's response to an attempt that began with `query`."""
    begun = browser.get(f"{base}{LOGIN}?{urlencode(query)}")
    returned = submit_demo_sign_in(browser, location(begun))
    return {name: values[0] for name, values in parse_qs(urlsplit(returned).query).items()}


@pytest.mark.parametrize("query", [{"redirect_uri": SPA_CALLBACK}, {}], ids=["begun-by-an-app", "begun-without"])
def test_exactly_code_and_state_are_enough(query: dict[str, str], base: str, browser: Browser) -> None:
    response = response_to(browser, base, **query)
    assert response["iss"] == f"{base}/idp", "the provider announces it"
    body = {"code": response["code"], "state": response["state"]}

    signed_in = browser.post_json(base + CALLBACK, body, headers={"origin": SPA_ORIGIN})

    assert signed_in.status_code == 200, signed_in.text
    assert set(signed_in.json()) == {"access_token", "token_type", "expires_in"}
    assert signed_in.json()["token_type"] == "Bearer"
    # The page's script can read the header, and the token in it is the new session's.
    assert "x-csrf-token" in signed_in.headers["access-control-expose-headers"].split(",")
    sessions = browser.get(f"{base}/api/v1/auth/sessions", accept=JSON).json()
    assert signed_in.headers["x-csrf-token"] == sessions["csrf_token"]
    assert re.fullmatch(r"[\w-]{43}", sessions["csrf_token"])
    assert list(browser.named("__Host-tg_session")) == ["__Host-tg_session"]
    assert not browser.named(COOKIE_PREFIX)
    assert "You are signed in" in browser.get(f"{base}/").text


def test_a_wrong_iss_is_refused_in_both_forms_and_a_missing_one_by_redirect(base: str, browser: Browser) -> None:
    for iss in ("https://evil.example", ""):
        response = response_to(browser, base)
        posted = browser.post_json(base + CALLBACK, {"code": response["code"], "state": response["state"], "iss": iss})
        assert (posted.status_code, posted.json()["error"]["code"]) == (403, "AUTH_002")
        response = response_to(browser, base) | {"iss": iss}
        assert browser.get(f"{base}{CALLBACK}?{urlencode(response)}").status_code == 403
    response = response_to(browser, base)
    del response["iss"]
    refused = browser.get(f"{base}{CALLBACK}?{urlencode(response)}", accept=JSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AUTH_002")


def test_an_apps_attempt_is_not_completed_by_redirect(base: str, browser: Browser) -> None:
    response = response_to(browser, base, redirect_uri=SPA_CALLBACK)
    refused = browser.get(f"{base}{CALLBACK}?{urlencode(response)}", accept=JSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AUTH_002")
    assert not browser.named("__Host-tg_session") | browser.named(COOKIE_PREFIX)


@pytest.mark.parametrize("name", ["{:016x}", "junk-{}", "{}-" + "n" * 30])
def test_hundreds_of_junk_cookies_get_a_short_response(name: str, base: str) -> None:
    junk: list[str] = []
    while len("; ".join(junk)) < LONGEST_HEADERS - 1600:
        junk.append(f"{COOKIE_PREFIX}{name.format(len(junk))}=x")
    long_target = "/" + "a" * 1023
    response = httpx2.get(
        f"{base}{LOGIN}?{urlencode({'return_to': long_target})}",
        headers={"cookie": "; ".join(junk), "accept": "text/html"},
        trust_env=False,
        timeout=30,
    )
    assert len(junk) > 100
    assert response.status_code == 302
    cleared = [line for line in response.headers.get_list("set-cookie") if "Max-Age=0" in line]
    assert len(cleared) == MAX_DROPPED
    assert all(re.match(rf"{COOKIE_PREFIX}[\w-]+=;", line) for line in cleared)
    assert sum(len(name) + len(value) + 4 for name, value in response.headers.multi_items()) < LONGEST_HEADERS
