"""`python -m container`: serve on `PORT` (8000). `WEB_CONCURRENCY` sets the number of worker processes (1)."""

import sys

import uvicorn

from tenantgate.observability.logging import configure_logging
from tenantgate.settings import SettingsError, get_settings

# Longer than the idle time-out of usual load balancers: the side that closes an idle connection must be theirs.
KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 20


def main() -> None:
    try:
        settings = get_settings()
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(level=settings.effective_log_level, service="tenantgate")
    uvicorn.run(
        "container.main:app",
        host="0.0.0.0",  # noqa: S104  (a container's port is published by its host)
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()
