"""Publish the list of revocations every second, for the minute until a schedule invokes the function again.

Invoked directly or by a schedule, with any event; returns the number of publications that failed. Publishers may
overlap: an older list never replaces a newer one. Without `REDIS_URL` there is nothing to publish, and the invocation
fails, as it does when no publication succeeds.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from tenantgate.cache.wiring import dispose_cache
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.database.wiring import dispose_database
from tenantgate.observability.logging import configure_logging
from tenantgate.revocation.wiring import republisher
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.notes import log_notes

logger = logging.getLogger(__name__)
configure_logging(level=get_settings().effective_log_level, service="revocation_republisher")
log_notes(get_settings(), read_variables())

# The schedule's minute, less the time that the end takes. The next invocation begins before the list is too old.
_SECONDS = 58.0
_MARGIN_SECONDS = 2.0


class PublicationFailed(Exception):
    """The failure that Lambda reports as `errorType` and `errorMessage`."""


def lambda_handler(_: object, context: Any) -> dict[str, int]:
    """Publish for up to a minute, or until the invocation's time is over. Raises `PublicationFailed`."""
    begin_request(RequestContext(request_id=choose_request_id(getattr(context, "aws_request_id", None))))
    left = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
    return asyncio.run(_publish(min(_SECONDS, left)))


async def _publish(seconds: float) -> dict[str, int]:
    try:
        made = republisher()
        if made is None:
            raise PublicationFailed("REDIS_URL is not set")
        published, failed = await made.run(seconds)
        if not published:
            raise PublicationFailed("no publication succeeded")
    finally:
        await dispose_cache()
        await dispose_database()
    return {"published": published, "failed": failed}
