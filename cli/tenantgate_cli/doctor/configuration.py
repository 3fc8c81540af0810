"""The configuration that is checked: that of this shell and its `.env`, or that of the running `make dev`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tenantgate.secrets.store import SecretStore
from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.model import Settings
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.variables import environment, parsed

_URLS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "HTTPS_PROXY", "https_proxy")
# One of these is a deployment's configuration, such as an authorizer's, if no stack runs here.
_ENOUGH = ("OIDC_ISSUER_URL", "AWS_SECRETS_MANAGER_SECRET_ID")


@dataclass(frozen=True)
class Configuration:
    """Variables by name, and where they come from. `secrets`: those in the environment or the data folder."""

    source: str
    variables: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    @cached_property
    def settings(self) -> Settings:
        """The parsed settings. Raises `SettingsError`."""
        return parsed(self.variables)

    def secret_store(self) -> SecretStore:
        """Return a store that reads the secrets as the functions do, but writes no log."""
        from tenantgate.aws.secrets_manager import secrets_client  # noqa: PLC0415  (boto3 is slow to import)

        settings = self.settings
        return SecretStore(
            secret_id=settings.aws_secrets_manager_secret_id,
            environment=self.secrets,
            client=lambda: secrets_client(settings.aws_region),
            fall_back_to_environment=settings.environment in ("development", "test"),
        )

    def hidden(self) -> Iterator[str]:
        """Yield the texts that no output may contain: passwords, as written and decoded, and secrets."""
        for name in _URLS:
            password = urlsplit(self.variables.get(name, "")).password
            if password:
                yield from (password, unquote(password))
        for value in self.secrets.values():
            yield value
            yield from (part for part in value.split(",") if part)


def configuration(data_dir: Path) -> Configuration:
    """Return the configuration of this shell if it names a database, or else that of the running stack.

    A `.env` with only a provider is for `make dev`, so that it counts if no stack runs. Raises Failure.
    """
    given = environment()
    folder = DataFolder(data_dir)
    running = folder.running_settings()
    url = given.get("DATABASE_URL")
    # `. .local/dev.env` sets the URLs of the running stack in the shell, but not its other settings.
    names_another = bool(url) and (running is None or url != running["DATABASE_URL"])
    if names_another or (running is None and any(given.get(name) for name in _ENOUGH)):
        secrets = {name: given[name] for name in (*SECRET_NAMES, *OPTIONAL_SECRET_NAMES) if given.get(name)}
        return Configuration("the environment", given, secrets)
    if running is None:
        raise Failure(
            f"nothing is configured in this shell, and no stack is running with the data in {folder.shown()}",
            "set the deployment's variables (docs/CONFIGURATION.md), or start one: make dev",
        )
    stored = {
        name: value
        for name, value in folder.secrets().items()
        if name in (*SECRET_NAMES, "KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS")
    }
    return Configuration(f"the running stack in {folder.shown()}", running, stored)
