"""Seal the audit log. Invoked directly or by a schedule, with any event; returns the counts.

Runs may overlap, and one may be killed at any moment: the next one continues. A failure is a failed invocation
(`FunctionError`) with `SealFailed`, whose message is an error code.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Any

from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.database.wiring import dispose_database
from tenantgate.errors.base import InternalError, TenantgateError
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.notes import log_notes
from tenantgate.transparency.wiring import report_queue, seal

logger = logging.getLogger(__name__)
configure_logging(level=get_settings().effective_log_level, service="audit_seal")
log_notes(get_settings(), read_variables())


class SealFailed(Exception):
    """The failure that Lambda reports as `errorType` and `errorMessage`."""


def lambda_handler(_: object, context: Any) -> dict[str, int]:
    """Seal once. Raises `SealFailed`, so that an alarm on failed invocations notices."""
    begin_request(RequestContext(request_id=choose_request_id(getattr(context, "aws_request_id", None))))
    try:
        return asyncio.run(_seal())
    except TenantgateError as error:
        logger.error("not sealed: %s", error, extra={"context": {"error_code": error.error.code, **error.private}})
        failed = error
    except Exception:
        logger.exception("the sealing failed")
        failed = InternalError()
    # Outside the `except`: the runtime prints the chain of causes, and a driver's error repeats values.
    raise SealFailed(failed.error.code)


async def _seal() -> dict[str, int]:
    try:
        done = await seal()
        return {} if done is None else asdict(done)
    finally:
        try:
            # Also after a failure: an alarm watches the age of the queue.
            await report_queue()
        finally:
            await dispose_database()
