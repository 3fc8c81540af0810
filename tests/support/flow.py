"""The demo user's way through a running stack: by form in a scripted browser, or as a single-page app does it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tests.support.browser import Browser, form_of, location

SPA_ORIGIN = "http://localhost:5173"
SPA_CALLBACK = f"{SPA_ORIGIN}/callback"


def submit_demo_sign_in(browser: Browser, authorization_url: str) -> str:
    """Fill in the built-in provider's form, unless it knows the browser; where it sends it with code and state."""
    shown = browser.get(authorization_url)
    if shown.is_redirect:
        return location(shown)
    action, hidden = form_of(shown)
    return location(browser.submit(action, {**hidden, "username": DEMO_USERNAME, "password": DEMO_PASSWORD}))


def sign_in_by_redirect(browser: Browser, base: str, *, return_to: str = "/") -> httpx2.Response:
    """The whole sign-in by redirects; the answer of our own callback, which sets the session cookie."""
    started = browser.get(f"{base}/api/v1/auth/login?{urlencode({'return_to': return_to})}")
    return browser.get(submit_demo_sign_in(browser, location(started)))


def sign_in_as_app(browser: Browser, base: str) -> httpx2.Response:
    """The whole sign-in as a single-page app that takes the code itself; the answer of `POST …/callback`."""
    started = browser.get(
        f"{base}/api/v1/auth/login?{urlencode({'redirect_uri': SPA_CALLBACK})}", accept="application/json"
    )
    returned = submit_demo_sign_in(browser, started.json()["authorization_url"])
    assert returned.startswith(SPA_CALLBACK)
    answer = {name: values[0] for name, values in parse_qs(urlsplit(returned).query).items()}
    return browser.post_json(f"{base}/api/v1/auth/callback", answer, headers={"origin": SPA_ORIGIN})


def access_token(browser: Browser, base: str) -> str:
    """A fresh access token of the demo user."""
    answer = sign_in_as_app(browser, base)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token
