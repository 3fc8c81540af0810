"""`python -m container.start`: bring the database up to date, as its owner, then serve in this same process id."""

import logging
import os
import sys
from typing import NoReturn

from tenantgate.database.migrator import upgrade
from tenantgate.observability.logging import configure_logging
from tenantgate.settings import SettingsError, get_settings

logger = logging.getLogger(__name__)


def main() -> NoReturn:
    try:
        settings = get_settings()
        owner_url = settings.database_owner_url or settings.required_database_url
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(level=settings.effective_log_level, service="tenantgate")
    try:
        upgrade(owner_url)
    except Exception:
        logger.exception("the migration failed; not serving")
        sys.exit(1)
    # A new image of the process, without the owner's URL: who breaks into the server must not find it.
    os.execvp("env", ["env", "-u", "DATABASE_OWNER_URL", sys.executable, "-m", "container"])  # noqa: S606, S607


if __name__ == "__main__":
    main()
