"""`python -m container`: serve on `PORT` (8000). `WEB_CONCURRENCY` sets the number of worker processes (1)."""

import sys

import uvicorn

from container.connections import BoundedProtocol
from container.server import SERVER_OPTIONS
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings
from tenantgate.settings.errors import SettingsError

SHUTDOWN_SECONDS = 20


def main(protocol: type[BoundedProtocol] = BoundedProtocol) -> None:
    try:
        settings = get_settings()
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(level=settings.effective_log_level, service="tenantgate")
    uvicorn.run(
        "container.main:app",
        host="0.0.0.0",  # noqa: S104  (the host publishes a container's port)
        port=settings.port,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        **{**SERVER_OPTIONS, "http": protocol},
    )


if __name__ == "__main__":
    main()
