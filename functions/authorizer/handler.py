"""The Lambda authorizer's entry point. No web framework, no event loop, no AWS SDK: its cold start is its price."""

from __future__ import annotations

import logging

from functions.authorizer.decision import Authorizer
from tenantgate.access.answers import Answer
from tenantgate.access.environment import bearer_credential, log_level, route_rules, service_name


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
_authorizer = Authorizer(bearer_credential(), route_rules(__file__.rpartition("/")[0] + "/rules.toml"))


def lambda_handler(event: object, context: object) -> Answer:
    """Answer an authorizer's event of any integration."""
    return _authorizer.decide(event, function_request_id=getattr(context, "aws_request_id", None))
