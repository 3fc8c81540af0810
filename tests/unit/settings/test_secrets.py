"""No error about a setting repeats a secret that its value may hold; what an operator needs of it stays readable."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator

import pytest

from container.app import container_rules
from tenantgate.authorizer.environment import InvalidEnvironment, bearer_credential, route_rules
from tenantgate.login.provider.metadata import ClientRegistration
from tenantgate.observability.redaction import MASK
from tenantgate.observability.setting_text import shown_setting, shown_text
from tenantgate.settings.deployment import SECRET_NAMES
from tenantgate.settings.errors import PROXY_VARIABLES, SECRET_VARIABLES, SettingsError
from tenantgate.settings.model import Settings
from tenantgate.tokens.policy import VARIABLES
from tests.fixtures.web.setup import make_settings

CANARY = "c4n4ry-0123"
KEY = "Zm9vYmFyLXNlY3JldC12YWx1ZS1vZi10aGUtY2xpZW50"
GOOD = {
    "ENVIRONMENT": "production",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "client",
}
SETTINGS = sorted({name.upper() for name in Settings.model_fields} | SECRET_VARIABLES | set(PROXY_VARIABLES))
# A secret in each possible place of a value, with an error so that most variables reject it.
HOLDING = {
    "user-info": f"https://user:{CANARY}@issuer.example.com:99999/a b",
    "user-info-with-every-sign": f"https://user:p@s/s:?#{CANARY}@issuer.example.com/",
    "user-info-with-a-blank-and-a-comma": f"https://user:{CANARY} and, more@issuer.example.com",
    "user-info-without-a-scheme": f"user:{CANARY}@issuer.example.com",
    "user-info-before-a-full-width-sign": f"https://user:{CANARY}\uff20issuer.example.com",
    "user-info-before-a-small-sign": f"redis://user:{CANARY}\ufe6bissuer.example.com",
    "user-info-of-the-second": f"https://ok.example.com, http://user:{CANARY}@issuer.example.com/*",
    "user-info-encoded": f"https%3A%2F%2Fuser%3A{CANARY}%40issuer.example.com",
    "a-query": f"https://issuer.example.com/?{CANARY}",
    "a-querys-value": f"https://issuer.example.com/?harmless=1&scope={CANARY}",
    "a-fragment": f"https://issuer.example.com/#{CANARY}",
    "json": json.dumps({"client_secret": CANARY, "api-key": [CANARY], "x": {"Password": {"y": CANARY}}}),
    "json-of-issuers": json.dumps([{"issuer": f"https://user:{CANARY}@issuer.example.com", "secret": CANARY}]),
    "json-of-urls": json.dumps([f"https://issuer.example.com/?t={CANARY}", {"x": f"http://a:{CANARY}@b"}]),
    "json-cut-off": json.dumps({"client_secret": CANARY})[:-2],
    "text": f"password={CANARY} and more",
    "a-header": f"Authorization: Custom {CANARY}",
    "a-bearer-token": f"Bearer {CANARY}",
}


def refused(variables: dict[str, str]) -> Iterator[str]:
    """Return the messages of both readers of the environment, the authorizer's and the settings model."""
    try:
        Settings.from_mapping(GOOD | variables)
    except SettingsError as error:
        yield "".join(traceback.format_exception(error))
    try:
        bearer_credential(GOOD | variables)
    except InvalidEnvironment as error:
        yield "".join(traceback.format_exception(error))


@pytest.mark.parametrize("variable", SETTINGS)
@pytest.mark.parametrize("held", HOLDING.values(), ids=HOLDING)
def test_an_error_about_a_variable_repeats_no_secret_in_its_value(variable: str, held: str) -> None:
    for text in refused({variable: held}):
        assert CANARY not in text


@pytest.mark.parametrize("variable", sorted(SECRET_VARIABLES))
@pytest.mark.parametrize("scheme", ["redis", "postgresql", "https"])
def test_an_error_about_a_secret_repeats_no_part_of_it(variable: str, scheme: str) -> None:
    for held in (f"{scheme}://[{CANARY}]/0", f"{scheme}://host:{CANARY}/0", f"{scheme}://{CANARY}\u2100/0", CANARY):
        for text in refused({variable: held}):
            assert CANARY not in text


@pytest.mark.parametrize("variable", SETTINGS)
@pytest.mark.parametrize("held", HOLDING.values(), ids=HOLDING)
def test_no_value_is_shown_with_a_secret_for_any_variable(variable: str, held: str) -> None:
    assert CANARY not in str(SettingsError({variable: "is wrong"}, {variable: held}))
    for longest in range(20, 200, 9):
        assert CANARY not in shown_setting(variable, held, longest=longest)


def test_every_variable_that_can_be_refused_is_among_those_tried() -> None:
    assert set(VARIABLES) | set(SECRET_NAMES) <= set(SETTINGS)
    named = {name for name in SETTINGS for held in HOLDING.values() for text in refused({name: held}) if name in text}
    assert {
        "OIDC_ISSUER_URL",
        "TRUSTED_ISSUERS",
        "PUBLIC_BASE_URL",
        "ALLOWED_ORIGINS",
        "OIDC_AUTHORIZE_PARAMS",
    } <= named
    assert len(named) >= 15


@pytest.mark.parametrize("name", ["client_secret", "anything", "login_hint"])
def test_of_authorization_parameters_only_names_are_shown(name: str) -> None:
    value = json.dumps({"client_id": "x", name: CANARY})
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(GOOD | {"OIDC_AUTHORIZE_PARAMS": value})
    assert CANARY not in str(caught.value)
    assert f'"{name}": "{MASK}"' in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(GOOD | {"OIDC_AUTHORIZE_PARAMS": value[:-1]})
    assert CANARY not in str(caught.value)


def test_a_representation_has_no_secret() -> None:
    settings = make_settings(
        OIDC_AUTHORIZE_PARAMS=json.dumps({"anything": CANARY}),
        DATABASE_URL=f"postgresql://a:{CANARY}@b/c",
        DATABASE_OWNER_URL=f"postgresql://a:{CANARY}@b/c",
        REDIS_URL=f"rediss://:{CANARY}@b",
    )
    registration = ClientRegistration(client_id="x", scopes=(), authorize_params=settings.oidc_authorize_params)
    assert CANARY not in f"{settings!r} {settings} {registration!r}"


def test_a_secret_that_was_set_as_another_variable_is_not_shown() -> None:
    for text in refused({"OIDC_ISSUER_URL": KEY, "JWT_LEEWAY_SECONDS": KEY}):
        assert KEY not in text
        assert "OIDC_ISSUER_URL" in text


@pytest.mark.parametrize("path", [f"https://user:{CANARY}@host/rules.toml", f"/rules.toml?token={CANARY}@x"])
def test_a_rules_files_name_repeats_no_secret(path: str) -> None:
    with pytest.raises(InvalidEnvironment) as refusal:
        route_rules("/nowhere/rules.toml", {"ROUTE_RULES_FILE": path})
    assert CANARY not in "".join(traceback.format_exception(refusal.value))
    with pytest.raises(SettingsError) as caught:
        container_rules(make_settings(ROUTE_RULES_FILE=path))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "value",
    [
        "http://issuer.example.test",
        "*",
        "soon",
        "https://a.example.com, https://b.example.com/x",
        "tenant_id,org_id",
        "/opt/a-rules-file-with-a-name-that-is-longer-than-forty-characters.toml",
        '[{"issuer": "https://issuer.example.com", "audiences": ["api"], "tenants": "*"}]',
        "^org-[0-9]{1,20}$",
    ],
)
def test_what_an_operator_needs_stays_readable(value: str) -> None:
    assert shown_setting("X", value) == repr(value)


def test_a_value_is_cut_after_it_was_masked() -> None:
    shown = shown_setting("X", "https://" + "a" * 105 + f":{CANARY}@b", longest=120)
    assert shown == f"'https://{MASK}@b'"
    assert shown_setting("X", "a b " * 100, longest=20) == repr("a b a b a b a b a...")
    assert shown_text("") == ""
