"""Providers that deviate from the specifications: discovery, two issuers, sign-out pages, and texts in errors."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp, code_of, returned_to, running_login_app, sign_in
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT,
    CannedResponse,
    Claims,
    MisbehavingProvider,
)

JSON = "application/json"
AUDIENCE = "https://api.example.test"
STS = "https://sts.example.test/tenant/"


def _trusting(provider: MisbehavingProvider, *issuers: str) -> str:
    entry = {"audiences": [AUDIENCE], "tenants": "*", "jwks_uri": f"{provider.issuer}/jwks"}
    return json.dumps([{"issuer": issuer, **entry} for issuer in issuers])


def _refused(browser: Browser, app: LoginApp) -> Claims:
    response = sign_in(browser, app)
    assert response.status_code >= 400
    error: Claims = response.json()["error"]
    return error


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"registration_endpoint": None}, id="null-registration"),
        pytest.param({"userinfo_endpoint": ""}, id="empty-userinfo"),
        pytest.param({"userinfo_endpoint": "http://provider.example/me"}, id="userinfo-in-the-clear"),
        pytest.param({"end_session_endpoint": "http://provider.example/out"}, id="end-session-in-the-clear"),
        pytest.param({"token_endpoint_auth_methods_supported": None}, id="null-methods"),
        pytest.param({"token_endpoint_auth_methods_supported": []}, id="no-methods"),
    ],
)
def test_an_invalid_discovery_member_that_a_sign_in_does_not_use_is_ignored(
    changes: dict[str, object], browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_metadata = lambda metadata: metadata | changes
    assert sign_in(browser, app).status_code == 200


def test_an_incomplete_document_is_fetched_again_at_once(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_metadata = lambda metadata: metadata | {"token_endpoint": None}
    assert code_of(browser.get(app.login_url, accept=JSON)) == "SYS_004"
    provider.edit_metadata = lambda metadata: metadata
    assert sign_in(browser, app).status_code == 200


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        pytest.param({"aud": "another-client"}, "OIDC_CLIENT_ID", id="audience"),
        pytest.param({"iat": 4102444800, "exp": 4102448400}, "JWT_LEEWAY_SECONDS", id="clock"),
        pytest.param({"nonce": "another"}, "log line", id="nonce"),
    ],
)
def test_a_refused_id_tokens_remedy_belongs_to_the_failed_check(
    edit: Claims, named: str, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_id_token = lambda claims: claims | edit
    error = _refused(browser, app)
    assert error["code"] == "AUTH_008"
    assert named in error["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"authorization_endpoint": None}, id="null-authorization"),
        pytest.param({"token_endpoint": ""}, id="empty-token"),
        pytest.param({"token_endpoint_auth_methods_supported": ["none"]}, id="no-methods"),
    ],
)
def test_a_sign_out_needs_no_endpoint_of_a_sign_in(
    changes: dict[str, object], browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_metadata = lambda metadata: metadata | changes
    headers = {"authorization": f"Bearer {provider.access_token()}"}
    response = browser.post_json(app.logout_url, {}, headers=headers)
    assert response.status_code == 200
    assert response.json()["logout_url"].startswith(f"{provider.issuer}/end_session?")


def test_an_invalid_end_session_endpoint_does_not_hide_the_sign_out_here(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_metadata = lambda metadata: metadata | {"end_session_endpoint": "javascript:alert(1)"}
    assert browser.get(returned_to(browser, app)).status_code == 303
    response = browser.post_json(app.logout_url, {}, headers={"origin": app.base})
    assert (response.status_code, code_of(response)) == (502, "SYS_004")
    assert "signed out here" in response.json()["error"]["detail"]
    assert "javascript" not in response.text
    assert not app.store.rows


class TestTwoIssuers:
    def test_a_configured_pair_signs_in(self, browser: Browser, provider: MisbehavingProvider) -> None:
        provider.edit_access_token = lambda claims: claims | {"iss": STS}
        variables = {"OIDC_ACCESS_TOKEN_ISSUER": STS, "TRUSTED_ISSUERS": _trusting(provider, STS)}
        with running_login_app(provider.issuer, variables=variables) as app:
            assert sign_in(browser, app).status_code == 200

    def test_a_trusted_issuer_without_a_configured_pair_is_refused(
        self, browser: Browser, provider: MisbehavingProvider
    ) -> None:
        provider.edit_access_token = lambda claims: claims | {"iss": STS}
        with running_login_app(provider.issuer, variables={"TRUSTED_ISSUERS": _trusting(provider, STS)}) as app:
            error = _refused(browser, app)
            assert error["code"] == "AUTH_009"
            assert "OIDC_ACCESS_TOKEN_ISSUER" in error["detail"]

    @pytest.mark.parametrize("third", ["https://other.example.test/", None])
    def test_only_the_configured_pair_is_accepted(
        self, third: str | None, browser: Browser, provider: MisbehavingProvider
    ) -> None:
        # Mix-up: an access token of another trusted issuer must not complete this sign-in.
        provider.edit_access_token = lambda claims: claims | {"iss": third or provider.issuer}
        trusted = _trusting(provider, STS, "https://other.example.test/")
        variables = {"OIDC_ACCESS_TOKEN_ISSUER": STS, "TRUSTED_ISSUERS": trusted}
        with running_login_app(provider.issuer, variables=variables) as app:
            assert _refused(browser, app)["code"] == "AUTH_009"

    def test_the_pair_is_for_access_tokens_not_for_id_tokens(
        self, browser: Browser, provider: MisbehavingProvider
    ) -> None:
        provider.edit_access_token = lambda claims: claims | {"iss": STS}
        provider.edit_id_token = lambda claims: claims | {"iss": STS}
        variables = {"OIDC_ACCESS_TOKEN_ISSUER": STS, "TRUSTED_ISSUERS": _trusting(provider, STS)}
        with running_login_app(provider.issuer, variables=variables) as app:
            assert _refused(browser, app)["code"] == "AUTH_008"

    def test_the_pairs_tenants_come_from_its_entry(self, browser: Browser, provider: MisbehavingProvider) -> None:
        provider.edit_access_token = lambda claims: claims | {"iss": STS}
        entries = json.loads(_trusting(provider, STS))
        entries[0]["tenants"] = ["org-00000000-0000-4000-8000-000000000000"]
        assert TENANT not in entries[0]["tenants"]
        variables = {"OIDC_ACCESS_TOKEN_ISSUER": STS, "TRUSTED_ISSUERS": json.dumps(entries)}
        with running_login_app(provider.issuer, variables=variables) as app:
            error = _refused(browser, app)
            assert error["code"] == "AUTH_005"
            assert "TRUSTED_ISSUERS" in error["detail"]


class TestConfiguredLogoutUrl:
    VARIABLES = {  # noqa: RUF012
        "OIDC_LOGOUT_URL": "https://auth.example.test/logout?x=y&client_id=theirs",
        "OIDC_LOGOUT_REDIRECT_PARAM": "logout_uri",
    }

    def test_gets_client_and_redirect_and_no_id_token(self, browser: Browser, provider: MisbehavingProvider) -> None:
        with running_login_app(provider.issuer, variables=self.VARIABLES) as app:
            assert browser.get(returned_to(browser, app)).status_code == 303
            body = {"redirect_uri": ALLOWED_ORIGIN + "/bye?a=b&c=d"}
            response = browser.post_json(app.logout_url, body, headers={"origin": app.base})
            url = urlsplit(response.json()["logout_url"])
            assert (url.scheme, url.netloc, url.path) == ("https", "auth.example.test", "/logout")
            assert parse_qsl(url.query) == [("x", "y"), ("client_id", CLIENT_ID), ("logout_uri", body["redirect_uri"])]
            assert not app.store.rows

    def test_needs_no_provider(self, browser: Browser, provider: MisbehavingProvider) -> None:
        with running_login_app(provider.issuer, variables=self.VARIABLES) as app:
            assert browser.get(returned_to(browser, app)).status_code == 303
            provider.responses["/.well-known/openid-configuration"] = CannedResponse(status=503)
            assert browser.post_json(app.logout_url, {}, headers={"origin": app.base}).status_code == 200

    def test_refuses_a_redirect_to_another_origin(self, browser: Browser, provider: MisbehavingProvider) -> None:
        with running_login_app(provider.issuer, variables=self.VARIABLES) as app:
            assert browser.get(returned_to(browser, app)).status_code == 303
            response = browser.post_json(
                app.logout_url, {"redirect_uri": "https://evil.example/"}, headers={"origin": app.base}
            )
            assert code_of(response) == "AUTH_006"
            assert len(app.store.rows) == 1


type Captured = pytest.CaptureFixture[str]


class TestProvidersTexts:
    @pytest.mark.parametrize("status", [200, 400, 401])
    def test_a_token_endpoints_description_is_logged_and_not_shown(
        self,
        status: int,
        browser: Browser,
        app: LoginApp,
        provider: MisbehavingProvider,
        capsys: Captured,
    ) -> None:
        said = f"Wrong client.\r\nSecret {CLIENT_SECRET} is bad " + "x" * 5000
        provider.responses["/token"] = CannedResponse.of_json(
            {"error": "invalid_client", "error_description": said}, status
        )
        response = sign_in(browser, app)
        assert (response.status_code, code_of(response)) == (502, "SYS_012")
        assert "Wrong client" not in response.text
        log = capsys.readouterr()
        text = log.out + log.err
        assert "Wrong client. Secret" in text
        assert CLIENT_SECRET not in text
        assert "x" * 400 not in text

    def test_a_refused_codes_description_is_logged_and_not_shown(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider, capsys: Captured
    ) -> None:
        provider.responses["/token"] = CannedResponse.of_json(
            {"error": "invalid_grant", "error_description": "The code was redeemed already"}, 400
        )
        response = sign_in(browser, app)
        assert code_of(response) == "AUTH_001"
        assert "redeemed" not in response.text
        log = capsys.readouterr()
        assert "The code was redeemed already" in log.out + log.err

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(
                (
                    "AADSTS65004: User declined to consent. Trace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333",
                    "AADSTS65004: User declined to consent. Trace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333",
                ),
                id="plain",
            ),
            pytest.param(('no\r\n{"level":"ERROR"}', 'no {\\"level\\":\\"ERROR\\"}'), id="forged-line"),
            pytest.param(
                (
                    "The user\r\nis not assigned to eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                    "The user is not assigned to ***",
                ),
                id="token",
            ),
            pytest.param(("state {state} code {code} again", "state *** code *** again"), id="secrets-of-the-request"),
        ],
    )
    def test_an_authorization_errors_description_is_logged_and_shown(
        self,
        said: tuple[str, str],
        browser: Browser,
        app: LoginApp,
        provider: MisbehavingProvider,
        capsys: Captured,
    ) -> None:
        description, logged = said
        sent: list[str] = []

        def refuse(response: dict[str, str]) -> dict[str, str]:
            sent.extend((response["state"], response["code"]))
            described = description.replace("{state}", response["state"]).replace("{code}", response["code"])
            return response | {"error": "access_denied", "error_description": described}

        provider.edit_authorization_response = refuse
        response = browser.get(returned_to(browser, app), accept=JSON)
        assert code_of(response) == "AUTH_001"
        detail = response.json()["error"]["detail"]
        assert detail["provider_error"] == "access_denied"
        assert json.dumps(detail["description"]) == f'"{logged}"'
        (line,) = (line for line in capsys.readouterr().out.splitlines() if '"request refused"' in line)
        assert f'"description":"{logged}"' in line
        assert '"provider_error":"access_denied"' in line
        assert not any(secret in line for secret in ["eyJhbGciOiJSUzI1NiJ9", *sent])

    def test_an_error_without_a_matching_state_is_not_logged(
        self, browser: Browser, app: LoginApp, capsys: Captured
    ) -> None:
        query = "state=foreign&error=personal_trouble&error_description=My+diagnosis+is+flu"
        assert code_of(browser.get(f"{app.callback_url}?{query}", accept=JSON)) == "AUTH_002"
        log = capsys.readouterr().out
        assert "flu" not in log
        assert "personal_trouble" not in log
