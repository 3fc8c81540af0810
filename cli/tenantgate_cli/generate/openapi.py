"""Write the OpenAPI 3.1 documents: `docs/openapi.json` of the API, and that of the routes for development."""

from __future__ import annotations

import json
from typing import Any

from tenantgate.settings.model import Settings
from tenantgate_cli.paths import OPENAPI

_PROVIDER = "/idp"
_DEVELOPMENT = """\
The routes that exist only in development (`ENVIRONMENT=development`): the built-in OpenID provider at `/idp`, and the
API's documentation at `/docs`. `openapi.json` describes the API itself.
"""
_CLIENT = {
    "type": "http",
    "scheme": "basic",
    "description": "The relying party's id and secret (RFC 6749 §2.3.1).",
}
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json", "": "text/html"}


def openapi_document() -> str:
    """Return the API's document, of a development server, as indented JSON."""
    return _text(_described(for_development=False))


def development_openapi_document() -> str:
    """Return the document of the routes that exist only in development, as indented JSON."""
    from tenantgate.web.docs import documentation_routes  # noqa: PLC0415  (needed only here)

    document = _described(for_development=True)
    document["info"] |= {
        "title": "Tenantgate: routes for development",
        "summary": "The built-in OpenID provider and the documentation",
        "description": _DEVELOPMENT,
    }
    document["tags"] = [
        {"name": "identity provider", "description": "OpenID Connect, for development."},
        {"name": "documentation", "description": "The API's description in a browser."},
    ]
    schemes = document["components"]["securitySchemes"]
    document["components"]["securitySchemes"] = {"bearer": schemes["bearer"], "client": _CLIENT}
    document["paths"] |= {path: {"get": _file(path)} for route in documentation_routes(OPENAPI) if (path := route.path)}
    return _text(document)


def _described(*, for_development: bool) -> dict[str, Any]:
    from container.app import function_routers  # noqa: PLC0415  (imports every function)
    from tenantgate.web.app import create_app  # noqa: PLC0415

    routers = [router for router in function_routers() if (router.prefix == _PROVIDER) is for_development]
    return create_app(*routers, settings=Settings.from_mapping({"ENVIRONMENT": "development"})).openapi()


def _file(path: str) -> dict[str, Any]:
    name = path.removeprefix("/docs").removeprefix("/").removeprefix("assets/")
    media_type = _MEDIA_TYPES[f".{name.rpartition('.')[2]}" if name else ""]
    return {
        "tags": ["documentation"],
        "summary": name or "The documentation",
        "operationId": f"docs:{name or 'page'}",
        "responses": {"200": {"description": "The file.", "content": {media_type: {"schema": {}}}}},
    }


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
