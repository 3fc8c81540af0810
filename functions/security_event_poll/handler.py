"""Fetch security events from the issuers that don't push them (RFC 8936), with any event; returns the counts.

Polls may overlap, and one may be killed at any moment: the issuer sends again what was not acknowledged. A failure is a
failed invocation (`FunctionError`) with `PollFailed`, whose message is an error code.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Any

from functions.security_event_poll.poll import poll
from tenantgate.cache.wiring import dispose_cache
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.database.wiring import dispose_database
from tenantgate.errors.base import InternalError, TenantgateError
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.notes import log_notes

logger = logging.getLogger(__name__)
configure_logging(level=get_settings().effective_log_level, service="security_event_poll")
log_notes(get_settings(), read_variables())


class PollFailed(Exception):
    """The failure that Lambda reports as `errorType` and `errorMessage`."""


def lambda_handler(_: object, context: Any) -> dict[str, int]:
    """Poll once. Raises `PollFailed`, so that an alarm on failed invocations notices."""
    begin_request(RequestContext(request_id=choose_request_id(getattr(context, "aws_request_id", None))))
    try:
        return asyncio.run(_poll())
    except TenantgateError as error:
        logger.error("not polled: %s", error, extra={"context": {"error_code": error.error.code, **error.private}})
        failed = error
    except Exception:
        logger.exception("the poll failed")
        failed = InternalError()
    # Outside the `except`: the runtime prints the chain of causes, and a driver's error repeats values.
    raise PollFailed(failed.error.code)


async def _poll() -> dict[str, int]:
    try:
        return asdict(await poll())
    finally:
        await dispose_cache()
        await dispose_database()
