"""IAM logins at ElastiCache for web functions and the container, whose credentials may come from other places.

Lambda puts a role's credentials into the environment, except for functions with SnapStart; containers get theirs from
an endpoint of the host. boto3 knows all of these.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tenantgate.aws.rds import TokenUnavailable
from tenantgate.cache_token import AwsCredentials, cache_token
from tenantgate.cache_url import CacheUrl
from tenantgate.settings.environment import role_credentials


def cache_login(url: CacheUrl) -> tuple[str, str]:
    """Return the user and a new token, for one connection. Raises `TokenUnavailable`.

    Blocks while the credentials are read; with those of the environment, it only computes.
    """
    return url.user, cache_token(url, role_credentials() or _other_credentials())


def prepare_cache_login() -> None:
    """Load the code for logins outside a caller's deadline. Blocks; reads no credentials."""
    if role_credentials() is None:
        _session()


def _other_credentials() -> AwsCredentials:
    try:
        # Refreshed by boto3 before they expire.
        frozen = _session().get_credentials().get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token or ""
    except Exception as error:
        raise TokenUnavailable(f"no IAM token for the cache: {type(error).__name__}") from error


@cache
def _session() -> Any:
    import boto3  # noqa: PLC0415  (200 ms at a cold start)

    return boto3.Session()
