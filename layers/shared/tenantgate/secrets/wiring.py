"""The secret store of this process."""

from __future__ import annotations

from functools import cache

from tenantgate.aws.secrets_manager import secrets_client
from tenantgate.secrets.store import SecretStore
from tenantgate.settings.environment import environment_secrets, get_settings


@cache
def secret_store() -> SecretStore:
    """Return the store that the settings describe. It reads nothing before the first secret is needed."""
    settings = get_settings()
    return SecretStore(
        secret_id=settings.aws_secrets_manager_secret_id,
        environment=environment_secrets(),
        client=lambda: secrets_client(settings.aws_region),
        fall_back_to_environment=settings.environment in ("development", "test"),
    )
