"""Store the audit events in log lines that CloudWatch Logs delivers; returns the counts.

Deliveries may be repeated and overlap: each event is stored once, by its id. Without the database, the invocation fails
with `IngestFailed`, whose message is an error code, and Lambda repeats it. Other lines are dropped: no repetition
could make them events. The function has its own log group: its lines are never delivered to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from functions.audit_ingest.delivery import NoDelivery, delivered_lines
from tenantgate.audit.wiring import ingest
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.database.wiring import dispose_database
from tenantgate.errors.base import InternalError, TenantgateError
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.notes import log_notes

logger = logging.getLogger(__name__)
configure_logging(level=get_settings().effective_log_level, service="audit_ingest")
log_notes(get_settings(), read_variables())


class IngestFailed(Exception):
    """The failure that Lambda reports as `errorType` and `errorMessage`."""


def lambda_handler(event: object, context: Any) -> dict[str, int]:
    """Store the events of one delivery. Raises `IngestFailed`, so that Lambda repeats it."""
    begin_request(RequestContext(request_id=choose_request_id(getattr(context, "aws_request_id", None))))
    try:
        return asyncio.run(_ingest(delivered_lines(event)))
    except NoDelivery as error:
        # Not a failed invocation: its repetition would fail, too.
        logger.error("not a delivery of CloudWatch Logs: %s", error)
        return {"stored": 0, "known": 0, "dropped": 1}
    except TenantgateError as error:
        logger.error("not stored: %s", error, extra={"context": {"error_code": error.error.code, **error.private}})
        failed = error
    except Exception:
        logger.exception("storing audit events failed")
        failed = InternalError()
    # Outside the `except`: the runtime prints the chain of causes, and a driver's error repeats values.
    raise IngestFailed(failed.error.code)


async def _ingest(lines: Sequence[str]) -> dict[str, int]:
    try:
        return asdict(await ingest().lines(lines))
    finally:
        await dispose_database()
