"""The environment of this process: read once, completed by a `.env` file in development and test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tenantgate.cache_token import AwsCredentials, credentials_in
from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.model import Settings, validated


@cache
def get_settings() -> Settings:
    """Return this process's settings, read once. Raises `SettingsError`."""
    variables = read_variables()
    return validated(lambda: Settings(_env_file=_dotenv_file(variables)), variables)


def read_variables() -> dict[str, str]:
    """Return the environment's variables; in development and test those of `.env` fill the gaps."""
    variables = dict(os.environ)
    if (file := _dotenv_file(variables)) is not None:
        return {**_variables_in(file), **variables}
    return variables


def _dotenv_file(variables: Mapping[str, str]) -> Path | None:
    # Never in staging or production: a file left in a working directory must not configure them.
    file = Path(".env")
    if not file.is_file():
        return None
    environment = variables.get("ENVIRONMENT") or _variables_in(file).get("ENVIRONMENT", "")
    return file if environment.lower() in ("development", "test") else None


def _variables_in(file: Path) -> dict[str, str]:
    from dotenv import dotenv_values  # noqa: PLC0415  (only a checkout has a .env)

    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def environment_secrets() -> dict[str, str]:
    """Return the secrets in the environment by name; only for `secrets/`."""
    variables = read_variables()
    return {name: variables[name] for name in (*SECRET_NAMES, *OPTIONAL_SECRET_NAMES) if variables.get(name)}


def database_authorities() -> str | None:
    """Return libpq's own variable for the file of certificate authorities; only for `database/tls.py`."""
    return os.environ.get("PGSSLROOTCERT") or None


def role_credentials() -> AwsCredentials | None:
    """Return the credentials that Lambda puts into the environment; only for `aws/`."""
    return credentials_in(os.environ)
