"""Notes on settings without effect: misspelled names, without false alarms, and ignored secrets."""

import logging

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.misspelled import meant, misspelling_notes
from tenantgate.settings.model import SETTING_NAMES, Settings
from tenantgate.settings.notes import ignored_secret_notes, log_notes

CANARY = "canary-of-a-secret"


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("OIDC_ISUER_URL", "OIDC_ISSUER_URL"),
        ("OIDC_ISSUER", "OIDC_ISSUER_URL"),
        ("OIDC_ISSUER_URI", "OIDC_ISSUER_URL"),
        ("ODIC_ISSUER_URL", "OIDC_ISSUER_URL"),
        ("OIDC_CLIENTID", "OIDC_CLIENT_ID"),
        ("OIDC_CLIENT_SECERT", "OIDC_CLIENT_SECRET"),
        ("COOKIE_SEALING_KEY", "COOKIE_SEALING_KEYS"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("ALLOWED_ORIGIN", "ALLOWED_ORIGINS"),
        ("ENVIROMENT", "ENVIRONMENT"),
        ("oidc_issuer_url", "OIDC_ISSUER_URL"),
        ("JWT_LEEWAY", "JWT_LEEWAY_SECONDS"),
        ("AWS_SECRET_MANAGER_SECRET_ID", "AWS_SECRETS_MANAGER_SECRET_ID"),
        ("PUBLIC_BASEURL", "PUBLIC_BASE_URL"),
    ],
)
def test_a_misspelled_name_gets_the_intended_setting(name: str, setting: str) -> None:
    assert misspelling_notes({name: CANARY}, SETTING_NAMES) == [f"{name} is not a setting; did you mean {setting}?"]


# Names that shells, hosts and other programs set.
FOREIGN = """
AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_EXECUTION_ENV
AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_RUNTIME_API AWS_CA_BUNDLE
LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR _HANDLER _X_AMZN_TRACE_ID TZ PATH LANG LC_ALL HOME USER SHELL PWD TERM HOSTNAME
PGHOST PGUSER PGPASSWORD PGDATABASE PGPORT PGSSLMODE PGSSLROOTCERT RAILWAY_ENVIRONMENT RAILWAY_ENVIRONMENT_ID
RAILWAY_ENVIRONMENT_NAME RAILWAY_PUBLIC_DOMAIN RAILWAY_SERVICE_ID DATABASE_PRIVATE_URL DATABASE_PUBLIC_URL
DATABASE_USER DATABASE_NAME DATABASE_HOST DATABASE_PORT DATABASE_OWNER REDIS_HOST REDIS_PORT REDIS_PUBLIC_URL HOST
POST PORTS HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR
POWERTOOLS_SERVICE_NAME POWERTOOLS_LOG_LEVEL OTEL_SERVICE_NAME WEB_CONCURRENCY TENANT_ID AZURE_TENANT_ID CLIENT_ID
AZURE_CLIENT_ID CLIENT_SECRET JWT_SECRET JWT_TOKEN NODE_ENV ENV ENVIRONMENT_NAME LOG_FORMAT SENTRY_ENVIRONMENT UV
UV_PYTHON MAKELEVEL MAKEFLAGS VIRTUAL_ENV PYENV_ROOT XDG_SESSION_ID PUBLIC_URL BASE_URL NEXT_PUBLIC_BASE_URL
VITE_OIDC_CLIENT_ID COOKIE_SECRET ALLOWED_HOSTS CORS_ALLOWED_ORIGINS PYTHONPATH LD_LIBRARY_PATH
"""


@pytest.mark.parametrize("name", [*FOREIGN.split(), "", "x" * 5000, "OIDC\x1b[31m_ISSUER_URL", "ÖIDC_ISSUER_URL"])
def test_the_names_of_other_programs_cause_no_note(name: str) -> None:
    assert meant(name, SETTING_NAMES) is None


def test_settings_themselves_cause_no_note() -> None:
    assert misspelling_notes(SETTING_NAMES, SETTING_NAMES) == []


SPARE = "in the environment is used only while Secrets Manager can't be read: AWS_SECRETS_MANAGER_SECRET_ID is set"
SECRETS = {"OIDC_CLIENT_SECRET": CANARY, "COOKIE_SEALING_KEYS": CANARY}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
}


@pytest.mark.parametrize(
    ("variables", "notes"),
    [
        pytest.param(PRODUCTION, [], id="environment"),
        pytest.param(
            {**PRODUCTION, "AWS_SECRETS_MANAGER_SECRET_ID": "tenantgate"},
            [
                "OIDC_CLIENT_SECRET in the environment is ignored: AWS_SECRETS_MANAGER_SECRET_ID is set",
                "COOKIE_SEALING_KEYS in the environment is ignored: AWS_SECRETS_MANAGER_SECRET_ID is set",
            ],
            id="production",
        ),
        pytest.param(
            {"ENVIRONMENT": "test", "AWS_SECRETS_MANAGER_SECRET_ID": "tenantgate"},
            [
                f"OIDC_CLIENT_SECRET {SPARE}",
                f"COOKIE_SEALING_KEYS {SPARE}",
            ],
            id="test",
        ),
    ],
)
def test_an_ignored_secret_is_named_without_its_value(variables: dict[str, str], notes: list[str]) -> None:
    assert ignored_secret_notes(Settings.from_mapping(variables), {**variables, **SECRETS}) == notes


def test_the_notes_are_logged_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.from_mapping({**PRODUCTION, "AWS_SECRETS_MANAGER_SECRET_ID": "tenantgate"})
    log_notes(settings, {"OIDC_ISUER_URL": CANARY, "OIDC_CLIENT_SECRET": CANARY})
    assert caplog.record_tuples == [
        (
            "tenantgate.settings.notes",
            logging.WARNING,
            "OIDC_ISUER_URL is not a setting; did you mean OIDC_ISSUER_URL?",
        ),
        (
            "tenantgate.settings.notes",
            logging.WARNING,
            "OIDC_CLIENT_SECRET in the environment is ignored: AWS_SECRETS_MANAGER_SECRET_ID is set",
        ),
    ]


DEVELOPMENT = {"ENVIRONMENT": "development"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param(
            {**DEVELOPMENT, "OIDC_ISSUER_URL": "https://issuer.example.com"},
            "Tenantgate can't start: 1 setting is wrong.\n"
            "  OIDC_CLIENT_ID is not set: set it to the client id that the provider gave this application, or unset "
            "OIDC_ISSUER_URL to use the built-in provider",
            id="issuer-without-client-id",
        ),
        pytest.param(
            {**DEVELOPMENT, "OIDC_DISCOVERY_URL": "https://issuer.example.com/discovery"},
            "Tenantgate can't start: 1 setting is wrong.\n"
            "  OIDC_DISCOVERY_URL is 'https://issuer.example.com/discovery': set OIDC_ISSUER_URL as well, or unset it: "
            "the built-in provider has its own document",
            id="discovery-without-issuer",
        ),
        pytest.param(
            {**PRODUCTION, "OIDC_CLIENT_ID": "", "OIDC_CLIENTID": "tenantgate"},
            "Tenantgate can't start: 1 setting is wrong.\n"
            "  OIDC_CLIENT_ID is not set: set it to the client id that the provider gave this application\n"
            "  note: OIDC_CLIENTID is not a setting; did you mean OIDC_CLIENT_ID?",
            id="misspelled",
        ),
    ],
)
def test_a_half_set_provider_stops_the_start(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        Settings.from_mapping(variables)
    assert str(stopped.value) == message


def test_the_built_in_provider_needs_no_client_id() -> None:
    given = {**DEVELOPMENT, "PUBLIC_BASE_URL": "http://localhost:4000", "OIDC_ISSUER_URL": "http://localhost:4000/idp"}
    assert Settings.from_mapping(given).oidc_client_id == "tenantgate-dev"
