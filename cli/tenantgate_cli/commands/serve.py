"""`tenantgate serve`: the container's application on this machine, with the database and provider of `dev`."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import override

import uvicorn

from tenantgate_cli.console import say, step
from tenantgate_cli.stack import ready
from tenantgate_cli.stack.local_stack import Stack, local_stack
from tenantgate_cli.stack.ports import LOOPBACK_NAMES
from tenantgate_cli.stack.signals import ignore_signals
from tenantgate_cli.stack.variables import environment


def run(port: int, data_dir: Path, *, reset: bool) -> None:
    """Serve until a signal. The application logs to standard output, as in the container. Raises Failure."""
    try:
        with local_stack("serve", port, data_dir, reset=reset) as stack:
            _serve(stack)
    except KeyboardInterrupt:
        pass
    say("stopped")


def _serve(stack: Stack) -> None:
    variables = stack.variables
    # The application reads the environment of this process, as it reads the container's.
    os.environ.update({**variables.settings, **variables.secrets})
    os.environ.pop("DATABASE_OWNER_URL", None)
    os.environ.pop("AWS_SECRETS_MANAGER_SECRET_ID", None)
    # The built-in provider runs in this process.
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), *LOOPBACK_NAMES]))
    os.environ["LOG_LEVEL"] = environment().get("LOG_LEVEL") or "INFO"
    with step("application"):
        from container.app import container_app  # noqa: PLC0415 - reads the environment
        from container.compression import Compression  # noqa: PLC0415
        from container.server import SERVER_OPTIONS  # noqa: PLC0415
        from tenantgate.observability.logging import configure_logging  # noqa: PLC0415
        from tenantgate.settings.environment import get_settings  # noqa: PLC0415

        configure_logging(level=os.environ["LOG_LEVEL"], service="tenantgate")
        # The steps and the ready line report the start already.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        # With the settings: the notes on this process's variables are printed already.
        app = Compression(container_app(get_settings()))
    config = uvicorn.Config(app, timeout_graceful_shutdown=2, **SERVER_OPTIONS)
    server = _Server(config, stack)
    try:
        server.run(sockets=list(stack.bound.sockets))
    finally:
        ignore_signals()


class _Server(uvicorn.Server):
    """A server that prints the ready lines when it serves."""

    def __init__(self, config: uvicorn.Config, stack: Stack) -> None:
        super().__init__(config)
        self._stack = stack

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            ready.show_serve(self._stack)
