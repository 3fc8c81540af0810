"""A sign-out at the built-in provider ends the application's session, over the gateway and in the container.

The provider sends its logout token to a function of the same stack, which reads the provider's keys meanwhile: over the
gateway, one function waits for another, and that one for a second environment of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fixtures.browsers.scripted import Browser, form_of
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import sign_in_by_redirect

pytestmark = pytest.mark.xdist_group("stacks")

SESSIONS = "/api/v1/auth/sessions"
JSON = "application/json"


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


@pytest.fixture
def browsers() -> Iterator[list[Browser]]:
    with Browser() as first, Browser() as second, Browser() as third:
        yield [first, second, third]


def sign_in(browser: Browser, base: str) -> None:
    assert sign_in_by_redirect(browser, base).status_code == 303
    assert browser.get(base + SESSIONS, accept=JSON).status_code == 200


def sign_out_at_the_provider(browser: Browser, base: str) -> None:
    """Open the provider's own page, which the application doesn't see, and confirm."""
    action, fields = form_of(browser.get(f"{base}/idp/end_session"))
    assert "You are no longer signed in" in browser.submit(action, fields).text


def test_the_session_has_ended_when_the_provider_responds(base: str, browsers: list[Browser]) -> None:
    leaving, staying, _ = browsers
    for browser in (leaving, staying):
        sign_in(browser, base)
    sign_out_at_the_provider(leaving, base)

    ended = leaving.get(base + SESSIONS, accept=JSON)
    assert (ended.status_code, ended.json()["error"]["code"]) == (401, "AUTH_020")
    assert staying.get(base + SESSIONS, accept=JSON).status_code == 200, "the same person in another browser"


def test_several_browsers_sign_out_at_the_same_time(base: str, browsers: list[Browser]) -> None:
    for browser in browsers:
        sign_in(browser, base)
    with ThreadPoolExecutor(len(browsers)) as threads:
        list(threads.map(lambda browser: sign_out_at_the_provider(browser, base), browsers))
    assert [browser.get(base + SESSIONS, accept=JSON).status_code for browser in browsers] == [401] * len(browsers)
