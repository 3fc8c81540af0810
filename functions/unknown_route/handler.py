"""The API's `$default` route, for requests that match no other: 404 or 405 in our error shape, or as a page.

It needs no web framework, so it imports none until a browser opens such an address.
"""

from __future__ import annotations

from typing import Any

from functions.unknown_route.route_table import ROUTES
from tenantgate.authorizer.environment import log_level
from tenantgate.observability.logging import configure_logging
from tenantgate.web.accept import navigates
from tenantgate.web.plain_lambda import begin, lambda_error_page, lambda_error_response
from tenantgate.web.request_log import log_failure
from tenantgate.web.route_table import RouteTable

configure_logging(level=log_level(), service="tenantgate")
_routes = RouteTable(ROUTES)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Respond to an HTTP API event (payload format 2.0) with 404 or 405."""
    request = begin(event, context)
    method, path = event["requestContext"]["http"]["method"], event["requestContext"]["http"]["path"]
    error, allow = _routes.error_for(path)
    log_failure(error)
    request.completed(error.http_status)
    if navigates(method, (event.get("headers") or {}).get("accept")):
        return lambda_error_page(error, path=path, allow=allow)
    return lambda_error_response(error, allow=allow)
