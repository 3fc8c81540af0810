"""Every recipe of docs/AUTH_CONFIGURATION.md with exactly the settings on the page.

The tests serve the provider under its real host names, so discovery, key sets and the token endpoint use the product's
own HTTP clients. Tokens have the provider's format and are signed with test keys.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tenantgate.authorizer.environment import bearer_credential
from tenantgate.errors import tokens as errors
from tenantgate.errors.tokens import IdTokenRefused, TokenError, WrongTokenType
from tenantgate.identity.principal import Principal
from tenantgate.settings.model import Settings
from tenantgate.tokens import discovery
from tenantgate.tokens.wiring import token_verifier
from tenantgate_cli.generate.providers import Recipe
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.login.app import LoginApp, code_of, running_login_app
from tests.fixtures.providers.recipe import RECIPES, RecipeProvider, serving, settings_of

JSON = "application/json"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
}


def _with(*works: str) -> list[Any]:
    return [pytest.param(recipe, id=recipe.name) for recipe in RECIPES if recipe.works in works]


def _variants() -> list[Any]:
    return [
        pytest.param(recipe, variant, id=f"{recipe.name}: {variant['name']}")
        for recipe in RECIPES
        for variant in recipe.data.get("variants", ())
    ]


@pytest.fixture
def provider(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecipeProvider]:
    monkeypatch.setattr(discovery, "_directories", {})
    with serving(recipe, tmp_path, monkeypatch, now=int(time.time())) as running:
        yield running


def principal_of(settings: dict[str, str], token: str) -> Principal:
    """Return the principal that the authorizer reads from a bearer token in production."""
    return bearer_credential({"ENVIRONMENT": "production", **settings}).principal(token)


def bearer_of(provider: RecipeProvider, variant: dict[str, Any] | None = None) -> str:
    """Return the token that an app sends to an API: the access token, or the ID token if there is no other."""
    if provider.recipe.works == "id-tokens":
        return provider.id_token(variant, nonce="the-apps-own", access_token=provider.access_token())
    return provider.access_token(variant)


def require_expected(principal: Principal, expected: dict[str, Any]) -> None:
    assert principal.user_id == expected["user"]
    assert principal.tenant_id == expected["tenant"]
    assert principal.scopes == frozenset(expected["scopes"])
    assert principal.roles == frozenset(expected["roles"])


@pytest.mark.parametrize("recipe", _with("sign-in", "bearer", "id-tokens", "nothing"))
def test_the_settings_start_in_production(recipe: Recipe) -> None:
    assert Settings.from_mapping(PRODUCTION | settings_of(recipe.settings)).token_policy.issuers


@pytest.mark.parametrize("recipe", _with("sign-in", "bearer", "id-tokens"))
def test_a_bearer_token_gives_user_tenant_scopes_and_roles(provider: RecipeProvider) -> None:
    require_expected(principal_of(provider.settings, bearer_of(provider)), provider.recipe.data["expect"])


@pytest.mark.parametrize(("recipe", "variant"), _variants())
def test_a_variant_is_decided_as_the_recipe_says(provider: RecipeProvider, variant: dict[str, Any]) -> None:
    settings = provider.settings | settings_of(variant.get("settings", ""))
    token = bearer_of(provider, variant)
    if "refused" in variant:
        with pytest.raises(TokenError) as refusal:
            principal_of(settings, token)
        assert type(refusal.value) is getattr(errors, variant["refused"])
    else:
        expected = provider.recipe.data["expect"] | {name: variant[name] for name in variant if name != "name"}
        require_expected(principal_of(settings, token), expected)


@pytest.mark.parametrize("recipe", _with("sign-in", "nothing", "id-tokens"))
def test_its_id_token_is_verified_at_a_sign_in(provider: RecipeProvider) -> None:
    settings = Settings.from_mapping(PRODUCTION | provider.settings)
    access_token = provider.access_token()
    token = provider.id_token(nonce="n-1", access_token=access_token)
    verifier = token_verifier(settings.token_policy)
    client = settings.oidc_client_id
    verified = verifier.verify_id_token(token, client_id=client, nonce="n-1", access_token=access_token)
    assert verified.issuer == settings.oidc_issuer_url
    with pytest.raises(IdTokenRefused):
        verifier.verify_id_token(token, client_id=client, nonce="n-2", access_token=access_token)
    with pytest.raises(IdTokenRefused):
        verifier.verify_id_token(token, client_id="another", nonce="n-1", access_token=access_token)


@pytest.mark.parametrize("recipe", _with("sign-in", "nothing"))
@pytest.mark.parametrize(
    "variant",
    [
        pytest.param({}, id="of-a-sign-in"),
        pytest.param({"claims": '{"nonce": null, "at_hash": null}'}, id="of-a-refresh"),
    ],
)
def test_its_id_token_is_no_bearer_token(provider: RecipeProvider, variant: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        principal_of(provider.settings, provider.id_token(variant, nonce="n", access_token=provider.access_token()))


@pytest.mark.parametrize("recipe", _with("sign-in", "nothing"))
def test_its_id_token_is_no_bearer_token_even_where_the_client_is_an_audience(provider: RecipeProvider) -> None:
    settings = {name: provider.settings[name] for name in provider.settings if name != "TRUSTED_ISSUERS"}
    settings = {name: value for name, value in settings.items() if name != "OIDC_ACCESS_TOKEN_ISSUER"}
    variant = {"claims": '{"nonce": null, "at_hash": null, "exp": "{now+300}"}'}
    token = provider.id_token(variant, nonce="n", access_token=provider.access_token())
    with pytest.raises(WrongTokenType):
        principal_of(settings | {"OIDC_AUDIENCE": provider.settings["OIDC_CLIENT_ID"]}, token)


@pytest.fixture
def app(provider: RecipeProvider) -> Iterator[LoginApp]:
    variables = {"OIDC_AUDIENCE": "", **provider.settings}
    with running_login_app(variables["OIDC_ISSUER_URL"], variables=variables) as running:
        yield running


def came_back(browser: Browser, app: LoginApp, provider: RecipeProvider) -> str:
    """Begin at our login, sign in at the provider, and give back the URL that it would send the browser to."""
    there = urlsplit(location(browser.get(app.login_url)))
    wanted = urlsplit(str(provider.recipe.discovery["authorization_endpoint"]))
    assert (there.scheme, there.netloc, there.path) == (wanted.scheme, wanted.netloc, wanted.path)
    asked = parse_qs(there.query)
    assert asked["client_id"] == [provider.settings["OIDC_CLIENT_ID"]]
    assert set(provider.settings.get("OIDC_SCOPES", "openid").split()) <= set(asked["scope"][0].split())
    provider.accept_codes(nonce=asked["nonce"][0])
    back = f"{app.callback_url}?code=a-code&state={asked['state'][0]}"
    announced = provider.recipe.discovery.get("authorization_response_iss_parameter_supported") is True
    return f"{back}&iss={provider.settings['OIDC_ISSUER_URL']}" if announced else back


@pytest.mark.parametrize("recipe", _with("sign-in"))
def test_a_whole_sign_in_and_sign_out(provider: RecipeProvider, app: LoginApp) -> None:
    expected = provider.recipe.data
    with Browser() as browser:
        signed_in = browser.get(came_back(browser, app, provider))
        assert signed_in.status_code == 303, signed_in.text
        response = browser.get(
            f"{app.base}/api/v1/auth/validate", headers={"authorization": f"Bearer {provider.access_token()}"}
        ).json()
        assert (response["user_id"], response["tenant_id"]) == (
            expected["expect"]["user"],
            expected["expect"]["tenant"],
        )
        out = browser.post_json(app.logout_url, {}, headers={"origin": app.base})
        url = urlsplit(out.json()["logout_url"])
        assert f"{url.scheme}://{url.netloc}{url.path}" == expected["sign_out_page"]
        assert [name for name, _ in parse_qsl(url.query)] == expected["sign_out_parameters"]
        assert not app.store.rows


@pytest.mark.parametrize("recipe", _with("bearer"))
def test_a_provider_without_a_sign_out_page_is_left_alone(provider: RecipeProvider, app: LoginApp) -> None:
    with Browser() as browser:
        headers = {"authorization": f"Bearer {provider.access_token()}"}
        assert browser.post_json(app.logout_url, {}, headers=headers).json() == {"logout_url": f"{app.base}/"}


@pytest.mark.parametrize("recipe", _with("id-tokens", "nothing"))
def test_an_opaque_access_token_ends_the_sign_in_with_its_remedy(provider: RecipeProvider, app: LoginApp) -> None:
    with Browser() as browser:
        refused = browser.get(came_back(browser, app, provider), accept=JSON)
        assert (refused.status_code, code_of(refused)) == (502, "AUTH_009")
        assert "opaque" in refused.json()["error"]["detail"]
        assert provider.access_token() not in refused.text
        assert not app.store.rows


@pytest.mark.parametrize("recipe", _with("nothing"))
def test_what_cannot_work_does_not_even_where_id_tokens_are_allowed(provider: RecipeProvider) -> None:
    issuer, client_id = provider.settings["OIDC_ISSUER_URL"], provider.settings["OIDC_CLIENT_ID"]
    entry = json.dumps([{"issuer": issuer, "audiences": [client_id], "tenants": "*", "allow_id_tokens": True}])
    token = provider.id_token(nonce="n", access_token=provider.access_token())
    settings = provider.settings | {"TRUSTED_ISSUERS": entry, "JWT_MAX_LIFETIME_MINUTES": "1440"}
    with pytest.raises(errors.TenantMissing):
        principal_of(settings, token)


def test_the_page_shows_the_settings_that_were_run() -> None:
    page = (Path(__file__).parents[3] / "docs" / "AUTH_CONFIGURATION.md").read_text(encoding="utf-8")
    for recipe in RECIPES:
        assert f"```sh\n{recipe.settings}\n```" in page
