"""The errors and headers of every operation in the OpenAPI document, which don't depend on its route."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import Overloaded
from tenantgate.web.errors import AmbiguousRequest, BodyTooLarge, HeadersTooLarge, MalformedRequest, RequestTooSlow
from tenantgate.web.models import StrictModel
from tenantgate.web.responses import ErrorResponse

SCHEMAS = "#/components/schemas/"
# In the `openapi_extra=` of a route behind the authorizer: on AWS, API Gateway words its 401, 403 and 500.
BEHIND_AUTHORIZER = {"x-behind-authorizer": True}

_ERRORS: tuple[type[TenantgateError], ...] = (
    *(AmbiguousRequest, MalformedRequest, RequestTooSlow, BodyTooLarge, HeadersTooLarge, Overloaded),
)
# The statuses with which API Gateway itself responds, before any function runs or instead of one.
_GATEWAY = ("400", "413", "429", "431", "500", "503")
_AUTHORIZER = ("401", "403")
_JSON = "application/json"
_ERROR_REFERENCE = {"$ref": f"{SCHEMAS}ErrorResponse"}
_GATEWAY_REFERENCE = {"$ref": f"{SCHEMAS}GatewayResponse"}
_EITHER = "ErrorOrGatewayResponse"
_PAGE = {"schema": {"type": "string"}}
_COMPONENTS: dict[str, dict[str, Any]] = {
    "headers": {
        "X-Request-ID": {
            "description": "The request's id, also in the log and in errors. API Gateway's own responses lack it.",
            "schema": {"type": "string"},
        },
        "WWW-Authenticate": {"description": "The challenge (RFC 9110 §11.6.1).", "schema": {"type": "string"}},
    },
    "parameters": {
        "X-Request-ID": {
            "name": "X-Request-ID",
            "in": "header",
            "required": False,
            "description": "An id for this request. One that isn't well-formed is replaced.",
            "schema": {"type": "string"},
        }
    },
}


class GatewayResponse(StrictModel):
    """API Gateway's own response, before any function runs."""

    message: str


def common_components() -> dict[str, dict[str, Any]]:
    """Build the components that `describe_common` refers to."""
    _, schemas = models_json_schema(
        [(ErrorResponse, "serialization"), (GatewayResponse, "serialization")], ref_template=f"{SCHEMAS}{{model}}"
    )
    either = {"title": _EITHER, "anyOf": [_ERROR_REFERENCE, _GATEWAY_REFERENCE]}
    return {**_COMPONENTS, "schemas": {**schemas["$defs"], _EITHER: either}}


def describe_common(operation: dict[str, Any], *, method: str, shows_pages: bool) -> None:
    """Add the errors of every route, the shapes that API Gateway and pages give them, and the common headers."""
    responses = operation["responses"]
    for error in _ERRORS:
        _add_error(responses, error)
    is_behind_authorizer = operation.pop(next(iter(BEHIND_AUTHORIZER)), False)
    for status in (*_GATEWAY, *(_AUTHORIZER if is_behind_authorizer else ())):
        _add_shape(responses[status]["content"], _GATEWAY_REFERENCE)
    for status, response in responses.items():
        headers = response.setdefault("headers", {})
        for name in ("X-Request-ID", *(("WWW-Authenticate",) if status == "401" else ())):
            headers[name] = {"$ref": f"#/components/headers/{name}"}
        # A limit counts before the route says that it is for people.
        if int(status) >= HTTPStatus.BAD_REQUEST and (shows_pages or (status == "429" and method == "get")):
            response["content"].setdefault("text/html", _PAGE)
    operation["responses"] = dict(sorted(responses.items()))
    operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/X-Request-ID"})


def _add_error(responses: dict[str, Any], error: type[TenantgateError]) -> None:
    code = error.error
    words = f"`{code.code}` {code.message}"
    response = responses.setdefault(str(code.status), {"description": words})
    if f"`{code.code}`" not in response["description"]:
        response["description"] += f"; {words}"
    _add_shape(response.setdefault("content", {}), _ERROR_REFERENCE)


def _add_shape(content: dict[str, Any], reference: dict[str, str]) -> None:
    described = content.setdefault(_JSON, {"schema": reference})
    schema = described["schema"]
    if schema == _ERROR_REFERENCE and reference == _GATEWAY_REFERENCE:
        described["schema"] = {"$ref": f"{SCHEMAS}{_EITHER}"}
    elif schema != reference and reference not in (alternatives := schema.get("anyOf", [schema])):
        described["schema"] = {"anyOf": [*alternatives, reference]}
