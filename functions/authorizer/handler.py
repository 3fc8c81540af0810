"""The Lambda authorizer's entry point. No web framework, no event loop, no AWS SDK: its cold start is its price."""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping

# Importing makes objects that stay: collecting in between finds nothing, and takes a tenth of a cold start.
gc.disable()

from functions.authorizer.decision import Answer, Authorizer  # noqa: E402
from tenantgate.access.environment import bearer_credential, log_level, service_name  # noqa: E402


class _LogWhenNeeded(logging.Handler):
    """Puts the JSON logging in place with the first line: an allowed request writes none, and needn't import it."""

    def emit(self, record: logging.LogRecord) -> None:
        from tenantgate.observability.logging import configure_logging  # noqa: PLC0415

        configure_logging(level=log_level(), service=service_name())
        logging.getLogger(record.name).handle(record)


def _prepare_logging() -> None:
    root = logging.getLogger()
    # The runtime's own handler would print each line a second time, in another form.
    root.handlers[:] = [_LogWhenNeeded()]
    root.setLevel(logging.WARNING)
    for name in ("tenantgate", "functions"):
        logging.getLogger(name).setLevel(log_level())


_prepare_logging()
_authorizer = Authorizer(bearer_credential())
gc.freeze()
gc.enable()


def lambda_handler(event: Mapping[str, object], context: object) -> Answer:
    """Answer an HTTP API authorizer event of payload format 2.0."""
    return _authorizer.decide(event)
