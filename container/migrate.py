"""`python -m container.migrate`: migrate the database as its owner, create the application's login, and exit.

For a host's command before a deployment, so that the replicas find nothing to migrate. Each of them does the same at
its start.

If `DATABASE_URL` has a user other than the owner, that user gets its login and the application's privileges. If it is
the owner's URL, as hosting platforms provide it, this creates a login for the application. Neither case needs manual
SQL.

A database that a newer version migrated is not changed, so that a rollback starts.
"""

import logging
import sys
from dataclasses import dataclass

from sqlalchemy import make_url

from tenantgate.database.errors import MadeByNewer
from tenantgate.database.migrator import upgrade
from tenantgate.database.own_login import ensure_own_login
from tenantgate.database.owner_login import owner_url
from tenantgate.database.roles import ensure_login
from tenantgate.errors.base import TenantgateError
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings
from tenantgate.settings.errors import SettingsError

logger = logging.getLogger("container.migrate")  # also when it runs as __main__


@dataclass(frozen=True, slots=True, repr=False)
class Migrated:
    """The URL that migrated, and the one to serve with."""

    owner: str
    application: str


def migrate() -> Migrated:
    """Migrate and create the login, by the process's settings. A failure is logged, and ends the process with 1."""
    try:
        settings = get_settings()
        owner, application = owner_url(), settings.required_database_url
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(level=settings.effective_log_level, service="tenantgate")
    try:
        _upgrade(owner)
        return Migrated(owner, _login(owner, application))
    except TenantgateError as error:
        context = {"error_code": error.error.code, "detail": error.detail, "remedy": error.error.remedy}
        logger.exception("the migration failed; not serving", extra={"context": context})
        sys.exit(1)
    except Exception:
        logger.exception("the migration failed; not serving")
        sys.exit(1)


def _upgrade(owner: str) -> None:
    try:
        migrated = upgrade(owner)
    except MadeByNewer as newer:
        # A rollback: migrations keep the tables that the version before them uses, so this version can serve.
        logger.warning(
            "the database was made by a newer Tenantgate; serving without a migration", extra={"context": newer.detail}
        )
    else:
        logger.info("database migrated", extra={"context": {"before": migrated.before, "after": migrated.after}})


def _login(owner: str, application: str) -> str:
    """Return the URL to serve with."""
    if make_url(application).username == make_url(owner).username:
        return ensure_own_login(owner)
    ensure_login(owner, application)
    return application


if __name__ == "__main__":
    migrate()
