"""`docs/RAILWAY_ENV.md`: every variable with its origin, and values for a one-click template."""

import re
import secrets
from pathlib import Path

import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.settings.deployment import SECRET_NAMES
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.generate import railway
from tenantgate_cli.generate.configuration import variables
from tenantgate_cli.generate.railway import API, project_variables, railway_page

FUNCTION = re.compile(r'\$\{\{secret\((\d+), "([^"]+)"\)\}\}')


def given() -> dict[str, str]:
    """Return the API's variables as a new project of the template has them."""
    asked = {
        "OIDC_ISSUER_URL": "https://login.example.com",
        "OIDC_CLIENT_ID": "tenantgate",
        "OIDC_CLIENT_SECRET": "secret",
    }
    known = {
        "${{RAILWAY_PUBLIC_DOMAIN}}": "tenantgate.up.railway.app",
        "${{Postgres.DATABASE_URL}}": "postgresql://postgres:pw@postgres.railway.internal:5432/railway",
        "${{Valkey.REDIS_URL}}": "redis://default:pw@valkey.railway.internal:6379/0",
    }
    made = {}
    for entry in project_variables():
        if entry.service == API:
            value = entry.value or FUNCTION.sub(_secret, entry.template)
            for name, replacement in known.items():
                value = value.replace(name, replacement)
            made[entry.name] = asked.get(entry.name, value)
    return made


def _secret(function: re.Match[str]) -> str:
    return "".join(secrets.choice(function[2]) for _ in range(int(function[1])))


def test_a_project_of_the_template_has_valid_settings_and_all_that_production_requires() -> None:
    found = given()
    settings = Settings.from_mapping(found)
    assert settings.environment == "production"
    assert settings.required_database_url == found["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:")
    assert settings.request_limits
    assert set(SECRET_NAMES) <= found.keys()


@pytest.mark.parametrize("missing", ["DATABASE_TLS", "REDIS_TLS"])
def test_the_settings_for_tls_are_necessary(missing: str) -> None:
    with pytest.raises(SettingsError):
        Settings.from_mapping({name: value for name, value in given().items() if name != missing})


def test_the_templates_keys_are_sealing_keys_of_256_bits() -> None:
    keys = {given()["COOKIE_SEALING_KEYS"] for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        sealer = Sealer([key])
        assert sealer.open(sealer.seal(b"x", purpose="test"), purpose="test") == b"x"
    (template,) = [entry.template for entry in project_variables() if entry.name == "COOKIE_SEALING_KEYS"]
    (function, last) = FUNCTION.findall(template)
    assert (function[0], len(set(function[1]))) == ("42", 64)
    assert (last[0], len(set(last[1]))) == ("1", 16)


def test_every_setting_is_in_the_page_once() -> None:
    page = railway_page()
    for variable in variables():
        elsewhere = variable.name.startswith(("AWS_", "DATABASE_OWNER_", "REDIS_IAM_"))
        rows = re.findall(rf"^\| (?:API \| )?`{variable.name}` \|", page.partition("## Values")[0], re.MULTILINE)
        assert len(rows) == (0 if elsewhere else 1), variable.name


def test_a_variable_without_a_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = railway.PROJECT.read_text(encoding="utf-8")
    changed = tmp_path / "railway.ts"
    monkeypatch.setattr(railway, "PROJECT", changed)
    changed.write_text(re.sub(r" +// As for PostgreSQL.*\n", "", source))
    with pytest.raises(ValueError, match="each variable of API needs a comment above it"):
        railway_page()
    changed.write_text(source.replace('REDIS_TLS: "private-network"', "REDIS_TLS: ctx.shared.TLS"))
    with pytest.raises(ValueError, match="the documentation can't show the value"):
        railway_page()
