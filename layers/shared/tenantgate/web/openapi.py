"""The parts of the OpenAPI document (3.1) that no route writes: description, security schemes, shared schemas."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tenantgate.errors.base import VAL_001
from tenantgate.settings.model import Settings
from tenantgate.web.cookies import SESSION_COOKIE
from tenantgate.web.openapi_common import SCHEMAS, common_components, describe_common

DESCRIPTION = """\
Tenantgate signs users in through an OpenID provider, validates their access tokens, and ends their sessions. Every
token belongs to one tenant.

- **Sign in**: open `GET /api/v1/auth/login` in a browser. It returns with a session cookie. A single-page app receives
  the code itself and sends it to `POST /api/v1/auth/callback`, which returns an access token.
- **Call an API**: send `Authorization: Bearer <access token>`. API Gateway asks the authorizer before a route that
  needs a token; `GET /api/v1/auth/me` returns what the authorizer found.
- **Errors** have one shape: `{"error": {"code", "message", "detail", "request_id"}}`. Each `code` has a cause and a
  remedy in `docs/ERROR_CODES.md`; `tenantgate explain CODE` prints them. On AWS, API Gateway itself responds to some
  requests before any function runs, with `{"message"}`. A browser gets the errors of routes for people as pages.
- **Methods**: a path without the method is 405 with `Allow`, also for `HEAD`. A path that is not listed is 404.
"""
TAGS = [
    {"name": "auth", "description": "Sign in, validate tokens, sign out."},
    {"name": "health", "description": "Whether the service runs and reaches what it needs."},
]

# For the `openapi_extra=` of a route. Each list holds alternatives: one of them is enough.
NEEDS_TOKEN: dict[str, Any] = {"security": [{"bearer": []}, {"openIdConnect": []}]}
NEEDS_SESSION: dict[str, Any] = {"security": [{"session": []}]}
NEEDS_TOKEN_OR_SESSION: dict[str, Any] = {"security": [*NEEDS_TOKEN["security"], *NEEDS_SESSION["security"]]}


def security_schemes(settings: Settings) -> dict[str, dict[str, str]]:
    """Build the document's `components.securitySchemes`."""
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of a trusted issuer (RFC 6750, RFC 9068).",
        },
        "openIdConnect": {
            "type": "openIdConnect",
            "openIdConnectUrl": f"{settings.oidc_issuer_url.rstrip('/')}/.well-known/openid-configuration",
            "description": "The provider that issues such tokens.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "The session that a sign-in in a browser starts.",
        },
    }


def complete(document: dict[str, Any], settings: Settings, *, pages: Collection[str] = ()) -> dict[str, Any]:
    """Complete FastAPI's document.

    Add the security schemes, and the errors and headers of all routes. Correct the validation errors, and drop unused
    schemas.
    `pages`: the routes whose errors a browser gets as pages, as `GET /path`.
    """
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            _correct_validation_error(operation["responses"])
            describe_common(operation, method=method, shows_pages=f"{method.upper()} {path}" in pages)
    components = document.setdefault("components", {})
    components["securitySchemes"] = security_schemes(settings)
    schemas: dict[str, Any] = components.pop("schemas", {})
    common = common_components()
    schemas |= common.pop("schemas")
    used = _used_schemas({**document, "components": components}, schemas)
    if used:
        components |= {**common, "schemas": {name: schema for name, schema in sorted(schemas.items()) if name in used}}
    return document


def _correct_validation_error(responses: dict[str, Any]) -> None:
    # FastAPI describes its own shape for a route with parameters, but every error of the product has ours.
    shape = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if shape.get("$ref") == f"{SCHEMAS}HTTPValidationError":
        shape["$ref"] = f"{SCHEMAS}ErrorResponse"
        responses["422"]["description"] = f"`{VAL_001.code}` {VAL_001.message}"


def _used_schemas(document: object, schemas: dict[str, Any]) -> set[str]:
    used: set[str] = set()
    waiting = _references(document)
    while waiting:
        name = waiting.pop()
        if name in schemas and name not in used:
            used.add(name)
            waiting |= _references(schemas[name])
    return used


def _references(part: object) -> set[str]:
    if isinstance(part, dict):
        reference = part.get("$ref")
        own = {reference.removeprefix(SCHEMAS)} if isinstance(reference, str) else set()
        return own.union(*(_references(member) for member in part.values()))
    if isinstance(part, list):
        return set().union(*(_references(item) for item in part))
    return set()
