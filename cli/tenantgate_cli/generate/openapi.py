"""Write `docs/openapi.json`, the OpenAPI 3.1 document of all routes, from the container's application."""

from __future__ import annotations

import json

from tenantgate.settings.model import Settings


def openapi_document() -> str:
    """Return the document of a development server as indented JSON."""
    from container.app import function_routers  # noqa: PLC0415  (imports every function)
    from tenantgate.web.app import create_app  # noqa: PLC0415

    app = create_app(*function_routers(), settings=Settings.from_mapping({"ENVIRONMENT": "development"}))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
