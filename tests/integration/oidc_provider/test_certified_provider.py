"""Sign-in and sign-out with a certified, independent OpenID provider, and with sessions in PostgreSQL.

It requires PKCE, signs ID and access tokens with RS256 or ES256, and issues JWT access tokens for a resource that the
client requests (RFC 8707) or that is the provider's default.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tenantgate.login.attempts.transactions import LIFETIME_SECONDS, LoginTransaction
from tenantgate.login.models import ProviderTokens
from tenantgate.login.provider.metadata import ProviderMetadata
from tenantgate.login.service.login import TokenEndpoint
from tests.fixtures.browsers.certified_provider import USER, at_the_provider, returned
from tests.fixtures.browsers.scripted import HTML, Browser, form_of, location
from tests.fixtures.login.app import LoginApp, code_of, redeem, response_parameters
from tests.fixtures.programs.requires import requires_node
from tests.integration.oidc_provider.conftest import RESOURCE, TENANT, WITHOUT_TENANT

pytestmark = requires_node

SESSION = "__Host-tg_session"


def header_of(token: str) -> dict[str, Any]:
    segment = token.partition(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return header


def claims_of(token: str) -> dict[str, Any]:
    return header_of(token.partition(".")[2])


class TestFlow:
    def test_an_app_gets_a_token_that_validates(self, browser: Browser, app: LoginApp) -> None:
        response = redeem(browser, app, returned(browser, app))
        assert response.status_code == 200, response.text
        token = response.json()["access_token"]
        assert header_of(token)["alg"] == app.settings.oidc_client_id[:5]
        assert header_of(token)["typ"] == "at+jwt"
        assert claims_of(token)["aud"] == RESOURCE
        assert 1790 <= response.json()["expires_in"] <= 1800
        validated = browser.get(app.base + "/api/v1/auth/validate", headers={"authorization": f"Bearer {token}"})
        assert validated.status_code == 200, validated.text
        assert validated.json() == {
            "valid": True, "user_id": USER, "tenant_id": TENANT, "expires_at": claims_of(token)["exp"],
        }  # fmt: skip

    def test_a_browser_signs_in_and_out(self, browser: Browser, app: LoginApp) -> None:
        response = browser.get(returned(browser, app, return_to="/home?x=1"))
        assert (response.status_code, response.headers["location"]) == (303, "/home?x=1")
        assert browser.named(SESSION)[SESSION].startswith(TENANT + ".")
        out = browser.post_json(app.logout_url, {"redirect_uri": app.base + "/"}, headers={"origin": app.base})
        assert out.status_code == 200, out.text
        assert not browser.named(SESSION)
        question = browser.get(out.json()["logout_url"])
        action, fields = form_of(question)
        done = browser.submit(action, fields | {"logout": "yes"})
        assert location(done) == app.base + "/"
        # The provider's session has ended too: it shows its sign-in form.
        again = browser.get(location(browser.get(app.login_url)))
        assert 'name="login"' in browser.get(location(again)).text

    def test_an_app_may_post_only_code_and_state(self, browser: Browser, app: LoginApp) -> None:
        url = returned(browser, app)
        assert response_parameters(url)["iss"] == app.settings.oidc_issuer_url
        body = {name: response_parameters(url)[name] for name in ("code", "state")}
        assert browser.post_json(app.callback_url, body).status_code == 200
        assert browser.named(SESSION)[SESSION].startswith(TENANT + ".")
        out = browser.post_json(app.logout_url, {}, headers={"origin": app.base})
        assert out.status_code == 200
        assert "id_token_hint" in out.json()["logout_url"], "the session was in the database"

    def test_the_redirect_form_requires_the_issuer_that_the_provider_announces(
        self, browser: Browser, app: LoginApp
    ) -> None:
        url = re.sub(r"&iss=[^&]*", "", returned(browser, app))
        assert "iss" not in response_parameters(url)
        assert code_of(browser.get(url, accept="application/json")) == "AUTH_002"
        assert not browser.named(SESSION)

    def test_the_provider_requires_pkce(self, browser: Browser, app: LoginApp) -> None:
        begun = location(browser.get(app.login_url))
        refused = browser.get(re.sub(r"&code_challenge(_method)?=[^&]*", "", begun))
        assert response_parameters(location(refused))["error"] == "invalid_request"
        assert code_of(browser.get(location(refused), accept="application/json")) == "AUTH_001"


class TestRefused:
    def test_missing_state(self, browser: Browser, app: LoginApp) -> None:
        url = returned(browser, app)
        without = re.sub(r"([?&])state=[^&]*&?", r"\1", url)
        assert code_of(browser.get(without, accept="application/json")) == "AUTH_002"

    def test_foreign_state(self, browser: Browser, app: LoginApp) -> None:
        with Browser() as victim:
            url = returned(victim, app)
        assert code_of(redeem(browser, app, url)) == "AUTH_002"

    def test_replayed_state(self, browser: Browser, app: LoginApp) -> None:
        url = returned(browser, app)
        assert redeem(browser, app, url).status_code == 200
        assert code_of(redeem(browser, app, url)) == "AUTH_002"

    def test_expired_state(self, browser: Browser, app: LoginApp, clock_put_back: None) -> None:
        url = returned(browser, app)
        app.clock.offset = LIFETIME_SECONDS + 1
        assert code_of(redeem(browser, app, url)) == "AUTH_002"

    def test_reused_code(self, browser: Browser, app: LoginApp) -> None:
        used = returned(browser, app)
        assert redeem(browser, app, used).status_code == 200
        response = redeem(browser, app, returned(browser, app), code=response_parameters(used)["code"])
        assert (response.status_code, code_of(response)) == (400, "AUTH_001")

    def test_stolen_code(self, browser: Browser, app: LoginApp) -> None:
        with Browser() as victim:
            stolen = response_parameters(returned(victim, app))["code"]
        response = redeem(browser, app, returned(browser, app), code=stolen)
        assert (response.status_code, code_of(response)) == (400, "AUTH_001")

    def test_wrong_nonce(self, browser: Browser, app: LoginApp) -> None:
        begun = location(browser.get(app.login_url))
        url = at_the_provider(browser, app, re.sub(r"([?&]nonce=)[^&]*", r"\1another", begun))
        response = redeem(browser, app, url)
        assert (response.status_code, code_of(response)) == (400, "AUTH_008")

    def test_wrong_iss(self, browser: Browser, app: LoginApp) -> None:
        response = redeem(browser, app, returned(browser, app), iss="https://another.example")
        assert (response.status_code, code_of(response)) == (403, "AUTH_002")

    def test_swapped_access_token(self, browser: Browser, app: LoginApp) -> None:
        swapping = SwappedAccessTokens(app.service._token_endpoint)
        app.service._token_endpoint = swapping
        try:
            assert redeem(browser, app, returned(browser, app)).status_code == 200
            response = redeem(browser, app, returned(browser, app))
        finally:
            app.service._token_endpoint = swapping.real
        assert (response.status_code, code_of(response)) == (400, "AUTH_008")

    def test_denied_by_the_user(self, browser: Browser, app: LoginApp) -> None:
        page = browser.get(location(browser.get(location(browser.get(app.login_url)))))
        abort = re.search(r'href="([^"]*/abort)"', page.text)
        assert abort is not None
        response = browser.get(location(browser.get(location(browser.get(abort.group(1))))), accept=HTML)
        assert response.status_code == 400
        assert "AUTH_001" in response.text
        assert "access_denied" in response.text

    def test_without_a_tenant(self, browser: Browser, app: LoginApp) -> None:
        response = redeem(browser, app, returned(browser, app, user=WITHOUT_TENANT))
        assert (response.status_code, code_of(response)) == (403, "AUTH_005")


def test_an_opaque_access_token_is_reported_as_such(browser: Browser, app_with_opaque_tokens: LoginApp) -> None:
    app = app_with_opaque_tokens
    response = redeem(browser, app, returned(browser, app))
    assert (response.status_code, code_of(response)) == (502, "AUTH_009")
    assert "OIDC_RESOURCE" in response.json()["error"]["detail"]


class SwappedAccessTokens:
    """An attacker between the provider and the application, who replaces every access token with the first one."""

    def __init__(self, real: TokenEndpoint) -> None:
        self.real = real
        self._first: str | None = None

    async def exchange(self, provider: ProviderMetadata, *, code: str, transaction: LoginTransaction) -> ProviderTokens:
        tokens = await self.real.exchange(provider, code=code, transaction=transaction)
        self._first = self._first or tokens.access_token
        return replace(tokens, access_token=self._first)


@pytest.fixture
def clock_put_back(app: LoginApp) -> Iterator[None]:
    yield
    app.clock.offset = 0
