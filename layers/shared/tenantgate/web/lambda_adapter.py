"""Serve a function's routes on Lambda, on one event loop for the life of the process.

Pooled connections belong to a loop, so the loop outlives the invocation. A lifespan that started and stopped with every
invocation would close them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from tenantgate.cold_start.web_import import import_quickly, quickly
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.errors.base import InternalError, TenantgateError
from tenantgate.observability.logging import begin_invocation, log_unhandled
from tenantgate.urls import is_host
from tenantgate.web.errors import AmbiguousRequest, UnknownAddress
from tenantgate.web.plain_lambda import begin, lambda_error_response
from tenantgate.web.request_log import log_failure

if TYPE_CHECKING:
    from tenantgate.settings.model import Settings

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]

_log = logging.getLogger(__name__)


def lambda_handler_for(package: str, *, settings: Settings | None = None) -> LambdaHandler:
    """Make the `lambda_handler` of the function in `package`, which serves the `router` of `<package>.routes`.

    The handler takes the events of an HTTP API (payload format 2.0). `settings` defaults to the process's.
    """
    log_unhandled()
    with quickly():
        router = import_quickly(f"{package}.routes").router
        from mangum import Mangum  # noqa: PLC0415  (asyncio, FastAPI and pydantic come with these two)

        from tenantgate.web.app import create_app  # noqa: PLC0415

        # Before the loop: until our logging is configured, the runtime's logging prints asyncio's line about it.
        app = create_app(router, settings=settings, cors=False)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        adapter = Mangum(app, lifespan="off")
    by_event = not app.settings.public_base_url

    # The first request imports what only requests need.
    starting = [quickly()]

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        with starting.pop() if starting else nullcontext():
            return respond(event, context)

    def respond(event: dict[str, Any], context: Any) -> dict[str, Any]:
        asyncio.set_event_loop(loop)
        headers: Mapping[str, str] = event.get("headers") or {}
        begin_invocation(context.aws_request_id, trace_id=headers.get("x-amzn-trace-id"))
        try:
            # Clients reach API Gateway by a name, and Mangum can't parse anything else.
            if not is_host(host := headers.get("host", "none")) or "[" in host or host[-1] == ":":
                return _reject(event, context, AmbiguousRequest("Host is not a name"))
            if by_event and (unknown := _without_address(app.settings, event)) is not None:
                return _reject(event, context, unknown)
            return adapter(event, context)
        except Exception:  # noqa: BLE001  (any failure has our error shape)
            # Mangum itself failed, before or after our application. Its own response would be plain text.
            request = RequestContext(request_id=choose_request_id(context.aws_request_id))
            request.carried = event
            begin_request(request)
            _log.exception("the event could not be served")
            return lambda_error_response(InternalError())

    return lambda_handler


def _without_address(settings: Settings, event: Mapping[str, Any]) -> UnknownAddress | None:
    """Complete the settings by the API's own address; return the error of a request to any other one."""
    from tenantgate.own_address import own_address  # noqa: PLC0415  (most deployments have PUBLIC_BASE_URL)

    address = own_address(event.get("requestContext"), settings.aws_region or "")
    if address is not None:
        settings.reached_at(address)
    if address is None or address != settings.public_base_url:
        return UnknownAddress("PUBLIC_BASE_URL is not set, and the request is not to the API's own address")
    return None


def _reject(event: Mapping[str, Any], context: Any, error: TenantgateError) -> dict[str, Any]:
    request = begin(event, context)
    log_failure(error)
    request.completed(error.http_status)
    return lambda_error_response(error)
