"""The owner's URL: from the settings, with the user and password that Secrets Manager has for it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit, urlunsplit

from tenantgate.aws.failures import failure_name
from tenantgate.aws.secrets_manager import secrets_client
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.settings.environment import get_settings

logger = logging.getLogger(__name__)

# No such user, or another password (PostgreSQL, appendix A).
_LOGIN_REFUSED = frozenset({"28000", "28P01"})
_READS = 3
# A rotation changes the password in the database a moment before or after it changes the secret.
_LOGINS = 5
_PAUSE_SECONDS = 1.0


def owner_url() -> str:
    """Return `DATABASE_OWNER_URL` (or `DATABASE_URL`) as the user in `DATABASE_OWNER_SECRET_ID`, if that is set.

    Reads the secret at each call. Raises `SecretsUnavailable`. Blocks.
    """
    settings = get_settings()
    url = settings.database_owner_url or settings.required_database_url
    if settings.database_owner_secret_id is None:
        return url
    return with_login(url, *_read(settings.database_owner_secret_id, settings.aws_region))


def as_owner[T](work: Callable[[str], T], *, wait_seconds: float = 0.0) -> T:
    """Run `work` with the owner's URL, and again if the secret's password was changed in the meantime.

    For `wait_seconds` it also waits for a writer that isn't reachable yet, as after a failover or while a cluster is
    being created. `work` must be safe to repeat: migrations are, each is a transaction. Raises the last error.
    """
    give_up_at = time.monotonic() + wait_seconds
    refused = 0
    while True:
        try:
            return work(owner_url())
        except DatabaseUnreachable as error:
            if error.private.get("sqlstate") in _LOGIN_REFUSED:
                refused += 1
                if get_settings().database_owner_secret_id is None or refused == _LOGINS:
                    raise
                logger.warning("the owner's login was refused; reading its secret again")
            elif time.monotonic() >= give_up_at:
                raise
            else:
                logger.warning("the database can't be reached yet", extra={"context": {**error.private}})
        time.sleep(_PAUSE_SECONDS)


def _read(secret_id: str, region: str | None) -> tuple[str, str]:
    problem = ""
    for attempt in range(_READS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            members = json.loads(secrets_client(region).get_secret_value(SecretId=secret_id)["SecretString"])
            user, password = members["username"], members["password"]
        except Exception as error:  # noqa: BLE001  (boto3's errors have no common base)
            problem = failure_name(error)
        else:
            if isinstance(user, str) and isinstance(password, str) and user and password:
                return user, password
            problem = "no username and password"
    # Outside the `except` block: the errors of JSON repeat the secret.
    raise SecretsUnavailable("the database owner's secret can't be used", failure=problem)


def with_login(url: str, user: str, password: str) -> str:
    """Return the URL with this user and password, which replace those in it."""
    parts = urlsplit(url)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))
