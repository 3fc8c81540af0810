"""`container/compose.yaml`: valid by the published schema, complete, and without a secret."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.paths import ROOT
from tests.fixtures.programs.node_packages import install
from tests.fixtures.programs.requires import requires_node

FOLDER = Path(__file__).parent
FILE = ROOT / "container" / "compose.yaml"
KEYS = ("COOKIE_SEALING_KEYS", "KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS")
SECRETS = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "OIDC_CLIENT_SECRET", *KEYS)
# The readiness checks of the stack. Its servers have no certificate that could be verified.
READY = {
    "database": "warning",
    "schema": "ok",
    "vector": "ok",
    "secrets": "ok",
    "cache": "warning",
    "revocation": "ok",
}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "OIDC_ISSUER_URL": "https://login.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
    "OIDC_AUDIENCE": "api",
}
# Without braces inside: of nested ones, the innermost.
_VARIABLE = re.compile(r"\$\{(\w+):([-?])([^{}]*)\}")


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def written() -> dict[str, str]:
    """Return what the commands in docs/OPERATIONS.md write into `.env`."""
    keys = {name: new_sealing_key() for name in KEYS}
    return {name: secrets.token_hex(32) for name in SECRETS} | keys


def api_variables(**given: str) -> dict[str, str]:
    """Return the API's variables with these in `.env`, as Compose interpolates them."""

    def value(found: re.Match[str]) -> str:
        name, operator, other = found.groups()
        assert given.get(name) or operator == "-", f"{name}: {other}"
        return given.get(name) or other

    def replaced(text: str) -> str:
        once = _VARIABLE.sub(value, text)
        return once if once == text else replaced(once)

    return {name: replaced(str(text)) for name, text in services()["api"]["environment"].items()}


def settings(**given: str) -> Settings:
    """Return the API's settings with these variables in `.env`. Those of the file come before them."""
    return Settings.from_mapping({**given, **api_variables(**given)})


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    program = FOLDER / "node_modules" / "dclint" / "bin" / "dclint.cjs"
    command = ["node", str(program), "--max-warnings", "0", str(file)]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)


@requires_node
def test_it_is_valid_by_the_published_schema_and_a_linter(tmp_path: Path) -> None:
    install(FOLDER)
    said = lint(FILE)
    assert said.returncode == 0, said.stdout
    broken = tmp_path / "compose.yaml"
    broken.write_text(FILE.read_text(encoding="utf-8").replace("stop_grace_period: 30s", "stop_grace: 30s"))
    refused = lint(broken)
    assert refused.returncode != 0
    assert "must NOT have additional properties" in refused.stdout


def test_with_the_written_secrets_it_runs_in_development_with_the_built_in_provider() -> None:
    found = settings(**written(), PORT="8123")
    assert (found.environment, found.port) == ("development", 8123)
    assert found.public_base_url == "http://localhost:8123"
    assert found.oidc_issuer_url == "http://localhost:8123/idp"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl on PATH")
def test_the_commands_of_the_page_write_what_it_needs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    block, _, _ = page.partition("docker compose --file container/compose.yaml")
    lines = block.rpartition("```sh\n")[2]
    (tmp_path / "container").mkdir()
    program = tmp_path / ".venv" / "bin" / "tenantgate"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tenantgate_cli "$@"\n')
    program.chmod(0o700)
    paths = os.pathsep.join([str(ROOT / "cli"), str(ROOT / "layers" / "shared")])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
    done = subprocess.run(["bash", "-euc", lines], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "container" / ".env").read_text(encoding="utf-8")
    given = dict(line.split("=", 1) for line in text.splitlines())
    assert tuple(given) == SECRETS
    assert settings(**given).environment == "development"
    for name in KEYS:
        Sealer(given[name].split(","))


def test_with_a_provider_it_runs_in_production() -> None:
    assert settings(**written(), **PRODUCTION).environment == "production"
    for missing in ("PUBLIC_BASE_URL", "ALLOWED_ORIGINS", "OIDC_ISSUER_URL"):
        given = {name: value for name, value in PRODUCTION.items() if name != missing}
        # The defaults are for development: http.
        with pytest.raises(SettingsError, match=missing):
            settings(**written(), **given)


@pytest.mark.parametrize("missing", SECRETS)
def test_nothing_starts_without_a_secret(missing: str) -> None:
    with pytest.raises(AssertionError, match=missing):
        settings(**{name: value for name, value in written().items() if name != missing})


def test_the_api_is_the_only_one_with_a_way_out_and_a_port_and_that_only_on_this_machine() -> None:
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert found["networks"]["inside"]["internal"] is True
    for name, service in found["services"].items():
        assert ("outside" in service["networks"], "ports" in service) == (name == "api", name == "api")
    assert all(port.startswith("127.0.0.1:") for port in found["services"]["api"]["ports"])
    assert found["services"]["api"]["depends_on"].keys() == {"postgres", "valkey"}


def test_git_ignores_the_written_secrets() -> None:
    asked = ["git", "-C", str(ROOT), "check-ignore", "--quiet", "--no-index", "container/.env"]
    assert subprocess.run(asked, check=False).returncode == 0
