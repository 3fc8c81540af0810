"""The deployment that a command works on: the database of a URL, or of the running stack, with its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenantgate.database.unit import StatementRefused
from tenantgate.errors.base import TenantgateError
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.database_failures import failure_of
from tenantgate_cli.stack.variables import environment

# Enough to read and change sessions; the defaults of development stand for the rest.
_NEEDED = (
    *("AWS_REGION", "AWS_SECRETS_MANAGER_SECRET_ID", "KEY_ENCRYPTION_KMS_KEYS"),
    *("AUDIT_SIGNING_KMS_KEY", "AUDIT_ANCHOR_BUCKET", "AUDIT_ANCHOR_FOLDER", "PUBLIC_BASE_URL"),
    *("DATABASE_TLS", "REDIS_URL", "REDIS_TLS", "TENANT_ID_PATTERN"),
    *("SESSION_IDLE_MINUTES", "SESSION_ABSOLUTE_HOURS", "SESSION_CACHE_SECONDS", "SESSION_REUSE_GRACE_SECONDS"),
)
# Undefined table, undefined column (PostgreSQL, appendix A).
_OLD_SCHEMA = ("42P01", "42703")


@dataclass(frozen=True, slots=True)
class Deployment:
    """`is_complete`: the settings are the deployment's. Otherwise its issuers aren't known here."""

    settings: Settings
    is_complete: bool

    @property
    def database_url(self) -> str:
        return self.settings.required_database_url


def deployment(data_dir: Path, url: str | None) -> Deployment:
    """Return the deployment of the URL with the settings of this shell, or else the running stack. Raises Failure."""
    if url:
        return _of_shell({**environment(), "DATABASE_URL": url})
    folder = DataFolder(data_dir)
    settings = folder.running_settings()
    if settings is None:
        raise Failure(
            f"no stack is running with the data in {folder.shown()}",
            "make dev   (in another terminal), or give --database-url",
        )
    return Deployment(_read(settings), is_complete=True)


def _of_shell(given: Mapping[str, str]) -> Deployment:
    if given.get("OIDC_ISSUER_URL"):
        return Deployment(_read(given), is_complete=True)
    needed = {name: given[name] for name in _NEEDED if given.get(name)}
    values = {**needed, "ENVIRONMENT": "development", "DATABASE_URL": given["DATABASE_URL"]}
    return Deployment(_read(values), is_complete=False)


def _read(values: Mapping[str, str]) -> Settings:
    try:
        return Settings.from_mapping(values)
    except SettingsError as error:
        _, _, lines = str(error).partition("\n")
        raise Failure(f"these settings are wrong:\n{lines}", "correct them, or the database's URL") from None


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn errors of the database into the command's. Raises Failure."""
    try:
        yield
    except StatementRefused as error:
        if error.sqlstate in _OLD_SCHEMA:
            raise Failure("the database's schema is older than this version", "tenantgate migrate up") from error
        raise failure_of(error, url=url, newer_remedy="") from error
    except TenantgateError as error:
        raise failure_of(error, url=url, newer_remedy="") from error
