"""The page after an error of the provider: its text is shown to the right browser only, bounded and as text."""

import html
import re

import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import LoginApp, returned_to
from tests.fixtures.providers.misbehaving import MisbehavingProvider


def page_after(description: str, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> tuple[int, str]:
    """Return status and page after `access_denied` with this description."""
    provider.edit_authorization_response = lambda response: {
        "error": "access_denied",
        "error_description": description,
        "state": response["state"],
        "iss": response["iss"],
    }
    response = browser.get(returned_to(browser, app))
    return response.status_code, response.text


def shown(text: str) -> str | None:
    found = re.search(r'<blockquote id="description">(.*?)</blockquote>', text, re.DOTALL)
    return None if found is None else html.unescape(found[1])


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        pytest.param("The user isn't willing.", "The user isn't willing.", id="quote"),
        pytest.param("<script>alert(1)</script><b>no</b>", "<script>alert(1)</script><b>no</b>", id="markup"),
        pytest.param("a\x1b[2Jb\r\nc\x00d\u202ee", "a [2Jb c d e", id="control-characters"),
        pytest.param("no " * 1000, ("no " * 1000)[:300] + "…", id="long"),
        pytest.param(
            "Sie haben abgelehnt: \u00fc\u00e9\u65e5", "Sie haben abgelehnt: \u00fc\u00e9\u65e5", id="unicode"
        ),
        pytest.param(" \t ", None, id="blank"),
        pytest.param("secret eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "secret ***", id="token"),
    ],
)
def test_the_description_is_shown_as_text(
    sent: str, seen: str | None, *, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    status, page = page_after(sent, browser, app, provider)

    assert status == 400
    assert '<h1>The <span class="word">sign-in</span> was cancelled</h1>' in page
    assert shown(page) == seen
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_the_text_of_a_forged_response_is_not_shown(browser: Browser, app: LoginApp) -> None:
    text = "Call 555-0100 to unlock your account"
    returned_to(browser, app)
    for state in ("foreign", ""):
        response = browser.get(f"{app.callback_url}?state={state}&error=access_denied&error_description={text}")
        assert response.status_code == 403
        assert "555-0100" not in response.text


def test_the_text_of_a_replayed_response_is_not_shown(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_authorization_response = lambda response: {
        "error": "access_denied",
        "error_description": "Said once",
        "state": response["state"],
        "iss": response["iss"],
    }
    url = returned_to(browser, app)
    assert shown(browser.get(url).text) == "Said once"
    again = browser.get(url)
    assert (again.status_code, "Said once" in again.text) == (403, False)


def test_outside_development_the_page_has_no_private_detail(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    _, page = page_after("Declined.", browser, app, provider)

    assert "SignInCancelled" not in page
    assert page.count("Declined.") == 1
    assert "access_denied" in page
