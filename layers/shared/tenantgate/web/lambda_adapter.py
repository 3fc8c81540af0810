"""A Lambda handler of routers: API Gateway's event in, its answer out, on one event loop for the life of the process.

Pooled connections belong to a loop, so the loop outlives the invocation; and a lifespan that started and stopped with
every invocation would close them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from mangum import Mangum

from tenantgate.context import RequestContext, begin_request, choose_request_id, current_request
from tenantgate.errors import InternalError
from tenantgate.observability.logging import begin_invocation
from tenantgate.settings import Settings
from tenantgate.web.app import create_app
from tenantgate.web.plain_lambda import error_answer

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]

_log = logging.getLogger(__name__)


def lambda_handler_for(*routers: APIRouter, settings: Settings | None = None) -> LambdaHandler:
    """The `lambda_handler` of a function that serves these routers behind an HTTP API (payload format 2.0)."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    adapter = Mangum(create_app(*routers, settings=settings, cors=False), lifespan="off")

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        asyncio.set_event_loop(loop)
        headers: Mapping[str, str] = event.get("headers") or {}
        begin_invocation(context.aws_request_id, trace_id=headers.get("x-amzn-trace-id"))
        try:
            return adapter(event, context)
        except Exception:  # noqa: BLE001  (whatever it is, the caller gets our shape)
            # Mangum itself failed, before or after our application: still one shape, never its plain text.
            begin_request(RequestContext(request_id=choose_request_id(current_request().request_id or None)))
            _log.exception("the event could not be served")
            return error_answer(InternalError())

    return lambda_handler
