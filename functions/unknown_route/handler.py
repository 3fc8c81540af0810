"""Whatever no route of the API takes (`$default`): 404 or 405 in our shape. Without a web framework, which it has no
need of."""

from __future__ import annotations

from typing import Any

from functions.unknown_route.route_table import ROUTES
from tenantgate.authorizer.environment import log_level
from tenantgate.observability.logging import configure_logging
from tenantgate.web.plain_lambda import begin, error_answer
from tenantgate.web.request_log import log_failure
from tenantgate.web.route_table import RouteTable

configure_logging(level=log_level(), service="tenantgate")
_routes = RouteTable(ROUTES)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An HTTP API event of payload format 2.0 in, the refusal out."""
    request = begin(event, context)
    refusal, allow = _routes.refusal(event["requestContext"]["http"]["path"])
    log_failure(refusal)
    request.completed(refusal.http_status)
    return error_answer(refusal, allow=allow)
