"""The caller's settings, checked before a stack starts: the exact words of failures and notes."""

from pathlib import Path

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.given_settings import check_settings, setting_notes
from tenantgate_cli.stack.variables import environment

ISSUER = {"OIDC_ISSUER_URL": "https://login.example.com"}
OTHER = {**ISSUER, "OIDC_CLIENT_ID": "client", "OIDC_CLIENT_SECRET": "canary-of-a-secret"}
BUILT_IN = "unset OIDC_ISSUER_URL to use the built-in provider"
NO_ISSUER = "OIDC_ISSUER_URL isn't set, so the built-in provider is used"
CLIENT_ID = f"set it to the client id that the provider gave this application, or {BUILT_IN}"
CLIENT_SECRET = f"set it to the client secret that the provider gave this application, or {BUILT_IN}"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(
            ISSUER,
            "Tenantgate can't start: 2 settings are wrong.\n"
            f"  OIDC_CLIENT_ID is not set: {CLIENT_ID}\n"
            f"  OIDC_CLIENT_SECRET is not set: {CLIENT_SECRET}",
            id="only-an-issuer",
        ),
        pytest.param(
            {**OTHER, "OIDC_CLIENT_SECRET": ""},
            f"Tenantgate can't start: 1 setting is wrong.\n  OIDC_CLIENT_SECRET is not set: {CLIENT_SECRET}",
            id="no-client-secret",
        ),
        pytest.param(
            {**OTHER, "OIDC_CLIENT_ID": ""},
            f"Tenantgate can't start: 1 setting is wrong.\n  OIDC_CLIENT_ID is not set: {CLIENT_ID}",
            id="no-client-id",
        ),
        pytest.param(
            {"OIDC_CLIENT_ID": "client"},
            "Tenantgate can't start: 1 setting is wrong.\n"
            "  OIDC_ISSUER_URL is not set: set it to the issuer that OIDC_CLIENT_ID is registered at, or unset "
            "OIDC_CLIENT_ID to use the built-in provider",
            id="only-a-client-id",
        ),
        pytest.param(
            {"LOG_LEVEL": "LOUD", "JWT_LEEWAY_SECONDS": "soon", "OIDC_CLIENT_ID": "client"},
            "Tenantgate can't start: 3 settings are wrong.\n"
            "  LOG_LEVEL is 'LOUD': must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'\n"
            "  JWT_LEEWAY_SECONDS is 'soon': a whole number from 0 to 300\n"
            "  OIDC_ISSUER_URL is not set: set it to the issuer that OIDC_CLIENT_ID is registered at, or unset "
            "OIDC_CLIENT_ID to use the built-in provider",
            id="all-at-once",
        ),
    ],
)
def test_invalid_settings_are_named_with_their_fixes(given: dict[str, str], words: str) -> None:
    with pytest.raises(Failure) as failed:
        check_settings(0, given)
    assert (str(failed.value), failed.value.remedy) == (words, "correct or unset these variables, then start again")


@pytest.mark.parametrize("given", [{}, OTHER, {"OIDC_ISSUER_URL": "http://127.0.0.1:3000/idp"}], ids=str)
def test_complete_settings_pass(given: dict[str, str]) -> None:
    check_settings(3000, given)


@pytest.mark.parametrize(
    ("given", "notes"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"JWT_TENANT_CLAIM_NAME": "org_id", "ENVIRONMENT": "Development "}, [], id="env-example"),
        pytest.param({"OIDC_CLIENT_SECRET": ""}, [], id="empty"),
        pytest.param(OTHER, [], id="another-provider"),
        pytest.param(
            {"OIDC_ISUER_URL": "https://login.example.com", "OIDC_CLIENT_SECRET": "canary"},
            [
                "OIDC_ISUER_URL is not a setting; did you mean OIDC_ISSUER_URL?",
                "OIDC_CLIENT_SECRET is ignored: the built-in provider has its own",
            ],
            id="misspelled-issuer",
        ),
        pytest.param(
            {**OTHER, "COOKIE_SEALING_KEYS": "canary", "AWS_SECRETS_MANAGER_SECRET_ID": "canary"},
            [
                "COOKIE_SEALING_KEYS is ignored: this stack has its own in data/secrets.json",
                "AWS_SECRETS_MANAGER_SECRET_ID is ignored: this stack has its secrets in data/secrets.json",
            ],
            id="secrets",
        ),
        pytest.param(
            {"DATABASE_URL": "postgresql://canary", "DATABASE_OWNER_URL": "canary", "ENVIRONMENT": "production"},
            [
                "DATABASE_URL is ignored: this stack has its own database in data",
                "DATABASE_OWNER_URL is ignored: this stack has its own database in data",
                "ENVIRONMENT is ignored: a stack on this machine is always a development one",
            ],
            id="database",
        ),
        pytest.param(
            {"OIDC_AUDIENCE": "canary", "TENANT_ID_PATTERN": "canary"},
            [f"OIDC_AUDIENCE, TENANT_ID_PATTERN are ignored: {NO_ISSUER}"],
            id="another-providers-settings",
        ),
    ],
)
def test_settings_without_effect_are_noted_without_their_values(
    given: dict[str, str], notes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert setting_notes(3000, given, DataFolder(Path("data"))) == notes


def test_a_name_in_the_env_file_is_noted_as_one_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("OIDC_ISUER_URL=https://login.example.com\n")
    monkeypatch.setenv("COOKIE_SEALING_KEY", "canary")
    notes = setting_notes(3000, environment(tmp_path), DataFolder(tmp_path))
    assert [note for note in notes if "did you mean" in note] == [
        "COOKIE_SEALING_KEY is not a setting; did you mean COOKIE_SEALING_KEYS?",
        "OIDC_ISUER_URL is not a setting; did you mean OIDC_ISSUER_URL?",
    ]
