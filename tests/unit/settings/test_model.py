"""All invalid values are reported at once with variable and remedy, but never with a secret's value."""

from pathlib import Path

import pytest

from tenantgate.settings.deployment import DEVELOPMENT_ORIGINS
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.generate.configuration import variables

SECRET = "hunter2-never-shown"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "DATABASE_URL": f"postgresql://app:{SECRET}@db.example.com:5432/tenantgate?sslmode=verify-full",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "gate",
    "AWS_SECRETS_MANAGER_SECRET_ID": "tenantgate/production",
}


def problems(**changed: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(PRODUCTION | changed)
    assert SECRET not in str(caught.value)
    return caught.value.problems


def test_a_production_environment_is_accepted_and_normalized() -> None:
    settings = Settings.from_mapping(PRODUCTION)

    assert (
        settings.database_url == f"postgresql+asyncpg://app:{SECRET}@db.example.com:5432/tenantgate?sslmode=verify-full"
    )
    assert settings.oidc_redirect_uri == "https://auth.example.com/api/v1/auth/callback"
    assert settings.oidc_scopes == ("openid", "profile", "email")
    assert settings.token_policy.issuers[0].audiences == ("gate",)
    assert settings.effective_log_level == "INFO"


def test_trusted_proxies_are_networks_or_addresses() -> None:
    assert Settings.from_mapping(PRODUCTION).trusted_proxies == ()
    settings = Settings.from_mapping(
        PRODUCTION | {"TRUSTED_PROXIES": "10.0.0.0/8, 2001:DB8:0::/32,192.0.2.7,10.0.0.0/8"}
    )
    assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32")


def test_development_needs_only_its_name() -> None:
    settings = Settings.from_mapping({"ENVIRONMENT": "development"})

    assert settings.allowed_origins == DEVELOPMENT_ORIGINS
    assert settings.oidc_issuer_url == f"{settings.public_base_url}/idp"
    assert settings.effective_log_level == "DEBUG"


def test_an_unset_environment_is_production_which_has_no_weak_default() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({})

    assert set(caught.value.problems) == {"ALLOWED_ORIGINS", "PUBLIC_BASE_URL", "OIDC_ISSUER_URL", "OIDC_CLIENT_ID"}


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_a_lambda_function_needs_neither_its_address_nor_origins(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "auth_login")
    given = {"ENVIRONMENT": environment, "OIDC_ISSUER_URL": "https://issuer.example.com", "OIDC_CLIENT_ID": "gate"}
    settings = Settings.from_mapping(given)

    assert (settings.public_base_url, settings.allowed_origins) == ("", ())
    # A deployed stack never shows what only a developer's own machine may show.
    assert not settings.is_local_development
    settings.reached_at("https://a1.execute-api.eu-central-1.amazonaws.com")
    settings.reached_at("https://b2.execute-api.eu-central-1.amazonaws.com")
    assert settings.public_base_url == "https://a1.execute-api.eu-central-1.amazonaws.com"


def test_an_address_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "auth_login")
    settings = Settings.from_mapping(PRODUCTION)
    settings.reached_at("https://a1.execute-api.eu-central-1.amazonaws.com")

    assert settings.public_base_url == "https://auth.example.com"


def test_a_development_function_without_an_address_names_its_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "auth_login")
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({"ENVIRONMENT": "development", "OIDC_CLIENT_ID": "gate"})

    assert "OIDC_ISSUER_URL" in caught.value.problems


def test_a_missing_database_is_reported_to_code_that_needs_it() -> None:
    settings = Settings.from_mapping({name: value for name, value in PRODUCTION.items() if name != "DATABASE_URL"})

    with pytest.raises(SettingsError, match="DATABASE_URL is not set: set it to postgresql://"):
        _ = settings.required_database_url


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        pytest.param(
            "ENVIRONMENT", "prod", "'development', 'test', 'staging' or 'production'", id="unknown-environment"
        ),
        pytest.param("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'", id="unknown-log-level"),
        pytest.param("TRUSTED_PROXIES", "10.0.0.1/8", "each is a network", id="proxies-with-host-bits"),
        pytest.param("TRUSTED_PROXIES", "10.0.0.0/8, proxy.example", "each is a network", id="proxies-by-name"),
        pytest.param("TRUSTED_PROXIES", "10.0.0.0/33", "each is a network", id="proxies-with-33-bits"),
        pytest.param("TRUSTED_PROXIES", "0.0.0.0/0", "every client choose", id="every-ipv4-address-as-proxy"),
        pytest.param("TRUSTED_PROXIES", "::/0", "every client choose", id="every-ipv6-address-as-proxy"),
        pytest.param("ALLOWED_ORIGINS", "*", "wildcard", id="wildcard-with-credentials"),
        pytest.param("ALLOWED_ORIGINS", "https://*.example.com", "wildcard", id="wildcard-subdomain"),
        pytest.param("ALLOWED_ORIGINS", "https://a.example.com/path", "without a path", id="origin-with-path"),
        pytest.param("ALLOWED_ORIGINS", "https://a@b.example.com", "scheme://host", id="origin-with-user-info"),
        pytest.param("ALLOWED_ORIGINS", "http://app.example.com", "https://", id="plain-http-origin"),
        pytest.param("ALLOWED_ORIGINS", "http://localhost:3000", "https://", id="loopback-origin-in-production"),
        pytest.param("ALLOWED_ORIGINS", "null", "scheme://host", id="null-origin"),
        pytest.param("ALLOWED_ORIGINS", "https://büro.example", "punycode", id="international-origin"),
        pytest.param("PUBLIC_BASE_URL", "auth.example.com", "scheme://host", id="base-url-without-scheme"),
        pytest.param("PUBLIC_BASE_URL", "https://auth.example.com:99999", "scheme://host", id="base-url-bad-port"),
        pytest.param("PUBLIC_BASE_URL", "https://auth.example.com/v1", "without a path", id="base-url-with-path"),
        pytest.param("DATABASE_URL", f"mysql://app:{SECRET}@db/x", "postgresql://", id="other-database"),
        pytest.param("DATABASE_URL", f"postgresql://app:{SECRET}@db.example.com", "/name", id="no-database-name"),
        pytest.param(
            "DATABASE_URL",
            "postgresql://app@db.c1a2.eu-central-1.rds.amazonaws.com/name?sslmode=prefer",
            "?sslmode=verify-full",
            id="iam-token-in-clear",
        ),
        pytest.param(
            "DATABASE_URL",
            "postgresql://app@db.c1a2.eu-central-1.rds.amazonaws.com/name?sslmode=verify-full&sslmode=disable",
            "state sslmode once",
            id="iam-token-in-clear-after-all",
        ),
        pytest.param("REDIS_URL", f"http://:{SECRET}@cache", "rediss://", id="not-a-redis-url"),
        pytest.param("OIDC_ISSUER_URL", "http://issuer.example.com", "https", id="plain-http-issuer"),
        pytest.param("OIDC_RESOURCE", "orders", "absolute URI", id="relative-resource"),
        pytest.param("OIDC_AUTHORIZE_PARAMS", "audience=x", "JSON object", id="params-not-json"),
        pytest.param("OIDC_AUTHORIZE_PARAMS", '{"state":"fixed"}', "take out state", id="params-override-state"),
        pytest.param("TENANT_ID_PATTERN", "org-(", "regular expression", id="broken-pattern"),
        pytest.param("TRUSTED_ISSUERS", "{", "JSON", id="issuers-not-json"),
        pytest.param("JWT_MAX_LIFETIME_MINUTES", "soon", "whole number", id="lifetime-not-a-number"),
        pytest.param("JWT_LEEWAY_SECONDS", "-1", "whole number", id="negative-leeway"),
        pytest.param("JWKS_CACHE_TTL_SECONDS", "0.5", "whole number", id="fractional-ttl"),
        pytest.param("JWKS_MAX_AGE_SECONDS", "no", "whole number", id="max-age-not-a-number"),
        pytest.param("PORT", "http", "integer", id="port-not-a-number"),
    ],
)
def test_an_invalid_value_names_the_variable_and_the_remedy(variable: str, value: str, remedy: str) -> None:
    found = problems(**{variable: value})

    assert list(found) == [variable]
    assert remedy in found[variable]


def test_all_invalid_values_are_reported_at_once_without_secrets() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(
            PRODUCTION
            | {"PORT": "x", "ALLOWED_ORIGINS": "*", "JWT_LEEWAY_SECONDS": "y", "DATABASE_URL": f"db:{SECRET}"}
        )

    text = str(caught.value)
    assert set(caught.value.problems) == {"PORT", "ALLOWED_ORIGINS", "JWT_LEEWAY_SECONDS", "DATABASE_URL"}
    assert "ALLOWED_ORIGINS is '*':" in text
    assert "DATABASE_URL (a secret, not shown):" in text
    assert SECRET not in text


def test_settings_never_show_the_database_password_in_a_representation() -> None:
    assert SECRET not in repr(Settings.from_mapping(PRODUCTION))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_a_postgresql_url_is_accepted(scheme: str) -> None:
    settings = Settings.from_mapping(PRODUCTION | {"DATABASE_URL": f"{scheme}://u:p@h:5432/n?sslmode=verify-full"})

    assert settings.database_url == "postgresql+asyncpg://u:p@h:5432/n?sslmode=verify-full"


@pytest.mark.parametrize(
    ("environment", "read"),
    [
        pytest.param("development", True, id="development"),
        pytest.param("test", True, id="test"),
        pytest.param("production", False, id="production"),
    ],
)
def test_a_dotenv_file_is_read_only_in_development(
    environment: str, read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"ENVIRONMENT={environment}\nOIDC_CLIENT_ID=from-the-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    monkeypatch.delenv("OIDC_CLIENT_ID", raising=False)

    assert (read_variables().get("OIDC_CLIENT_ID") == "from-the-file") is read


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("ENVIRONMENT=development\nOIDC_CLIENT_ID=from-the-file\nOIDC_SCOPES=email\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    monkeypatch.setenv("OIDC_CLIENT_ID", "from-the-environment")
    get_settings.cache_clear()
    try:
        settings = get_settings()
    finally:
        get_settings.cache_clear()

    assert (settings.oidc_client_id, settings.oidc_scopes) == ("from-the-environment", ("openid", "email"))


def test_every_setting_says_what_it_is_for() -> None:
    assert [variable.name for variable in variables() if not variable.purpose] == []


def test_every_loopback_address_is_a_base_url_and_an_issuer() -> None:
    settings = Settings.from_mapping({"ENVIRONMENT": "development", "PUBLIC_BASE_URL": "http://127.0.0.2:3000"})

    assert settings.token_policy.issuers[0].issuer == "http://127.0.0.2:3000/idp"


@pytest.mark.parametrize(
    ("environment", "base_url", "is_local"),
    [
        ("development", "http://localhost:3000", True),
        ("development", "http://127.0.0.1:3000", True),
        ("development", "https://dev.example.com", False),
        ("test", "http://localhost:3000", False),
        ("staging", "https://auth.example.com", False),
    ],
)
def test_only_a_development_stack_on_loopback_is_local(environment: str, base_url: str, *, is_local: bool) -> None:
    settings = Settings.from_mapping(PRODUCTION | {"ENVIRONMENT": environment, "PUBLIC_BASE_URL": base_url})

    assert settings.is_local_development is is_local
