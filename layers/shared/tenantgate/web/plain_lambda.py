"""Requests and error responses of Lambda functions that use no web framework.

Standard library only, except for a page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tenantgate.context import current_request
from tenantgate.errors.base import TenantgateError, error_body
from tenantgate.observability.logging import begin_invocation
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets
from tenantgate.web.headers import SECURE_HEADERS, error_headers
from tenantgate.web.request_log import RequestLog


def begin(event: Mapping[str, Any], context: Any) -> RequestLog:
    """Begin the request that API Gateway's event (HTTP API, payload format 2.0) describes."""
    headers: dict[str, str] = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    begin_invocation(context.aws_request_id, trace_id=headers.get("x-amzn-trace-id"))
    query = event.get("rawQueryString") or ""
    carried = [(name.encode(), value.encode()) for name, value in headers.items()]
    carried += [(b"cookie", cookie.encode()) for cookie in event.get("cookies") or ()]
    carry_secrets(CarriedSecrets(carried, query.encode()))
    request = event["requestContext"]
    return RequestLog(
        method=request["http"]["method"],
        path=request["http"]["path"],
        query=query,
        offered_id=headers.get("x-request-id"),
        gateway_request_id=request.get("requestId"),
    )


def lambda_error_response(error: TenantgateError, *, allow: str | None = None) -> dict[str, Any]:
    """Return the error in the one shape, with the headers that every response carries (payload format 2.0)."""
    headers = {**error_headers(error, allow=allow), "content-type": "application/json"}
    body = json.dumps(error_body(error, request_id=current_request().request_id), separators=(",", ":"))
    return _response(error.http_status, headers, body)


def lambda_error_page(error: TenantgateError, *, path: str, allow: str | None = None) -> dict[str, Any]:
    """Return the error as a page, with the same headers. Imports Starlette and Jinja2 at the first call."""
    from tenantgate.web.pages.rendering import error_page  # noqa: PLC0415  (only for browsers)

    page = error_page(error, debug=False, path=path, allow=allow)
    headers = {name: value for name, value in page.headers.items() if name != "content-length"}
    return _response(page.status_code, headers, bytes(page.body).decode())


def _response(status: int, headers: Mapping[str, str], body: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {**SECURE_HEADERS, **headers, "x-request-id": current_request().request_id},
        "body": body,
        "isBase64Encoded": False,
    }
