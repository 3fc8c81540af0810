"""`python -m container.start`: bring the database up to date, as its owner, then serve in this same process id.

The user in `DATABASE_URL` gets its login and the application's rights, so that a host which hands out an owner's URL
alone needs no SQL by hand.
"""

import logging
import os
import sys
from typing import NoReturn

from tenantgate.database.migrator import owner_url, upgrade
from tenantgate.database.roles import ensure_login
from tenantgate.observability.logging import configure_logging
from tenantgate.settings import SettingsError, get_settings

logger = logging.getLogger("container.start")  # run as __main__


def main() -> NoReturn:
    try:
        settings = get_settings()
        owner, application = owner_url(), settings.required_database_url
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(level=settings.effective_log_level, service="tenantgate")
    try:
        migrated = upgrade(owner)
        ensure_login(owner, application)
    except Exception:
        logger.exception("the migration failed; not serving")
        sys.exit(1)
    logger.info("database migrated", extra={"context": {"before": migrated.before, "after": migrated.after}})
    # A new image of the process, without the owner's URL: who breaks into the server must not find it.
    os.execvp("env", ["env", "-u", "DATABASE_OWNER_URL", sys.executable, "-m", "container"])  # noqa: S606, S607


if __name__ == "__main__":
    main()
