"""`python -m container`: serve on `PORT` (8000). `WEB_CONCURRENCY` sets the number of worker processes (1)."""

import logging
import socket
import sys
from contextlib import suppress
from typing import override

import uvicorn
from uvicorn.supervisors import Multiprocess

from container.connections import BoundedProtocol
from container.listening import listening_sockets, urls
from container.server import SERVER_OPTIONS
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings
from tenantgate.settings.errors import SettingsError

# After `DRAIN_SECONDS`.
SHUTDOWN_SECONDS = 20

logger = logging.getLogger("container")


def main(protocol: type[BoundedProtocol] = BoundedProtocol) -> None:
    try:
        settings = get_settings()
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(level=settings.effective_log_level, service="tenantgate")
    try:
        sockets = listening_sockets(settings.port)
    except OSError as error:
        sys.exit(f"Tenantgate can't start: port {settings.port} can't be used: {error.strerror}.")
    config = uvicorn.Config(
        "container.main:app", timeout_graceful_shutdown=SHUTDOWN_SECONDS, **{**SERVER_OPTIONS, "http": protocol}
    )
    if config.workers > 1:
        logger.info("Uvicorn running on %s", urls(sockets))
        _Workers(config, sockets=sockets).run()
    else:
        _serve(config, sockets)


def _serve(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    server = _Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(3)


class _Workers(Multiprocess):
    """Worker processes, whose end closes the sockets of this process too.

    Otherwise the kernel would accept connections that no process serves any more.
    """

    @override
    def terminate_all(self) -> None:
        super().terminate_all()
        for one in self.sockets:
            one.close()


class _Server(uvicorn.Server):
    """A server that logs its addresses when it serves."""

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            logger.info("Uvicorn running on %s", urls(sockets or []))


if __name__ == "__main__":
    main()
