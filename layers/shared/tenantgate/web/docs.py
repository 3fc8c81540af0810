"""`/docs`: the API's description in a browser, with all assets served from here.

Swagger UI comes with the package `fastapi-offline`, of which only the files are used. The Lambda layer doesn't have it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tenantgate.web.headers import SECURE_HEADERS

_SWAGGER_UI = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_OURS = {"theme.js": "text/javascript", "start.js": "text/javascript", "docs.css": "text/css"}
_OUR_FOLDER = Path(__file__).parent / "docs_assets"
# Swagger UI writes style attributes. Scripts are only our own files.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API · Tenantgate</title>
<link rel="icon" href="data:,">
<script src="/docs/assets/theme.js"></script>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="stylesheet" href="/docs/assets/docs.css">
</head>
<body>
<main id="api"></main>
<noscript>This page needs JavaScript. Without it: <a href="/docs/openapi.json">openapi.json</a>.</noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""


def documentation_routes(openapi_path: Path) -> list[Route]:
    """Build the routes of `/docs`, its assets, and the document at `openapi_path` as `/docs/openapi.json`.

    Raises RuntimeError when the assets are missing; the message names the extra to install.
    """
    package = find_spec("fastapi_offline")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the assets of /docs are missing: install tenantgate[container] or tenantgate[cli]")
    folder = Path(package.submodule_search_locations[0]) / "static"

    async def show(_: Request) -> Response:
        return HTMLResponse(_PAGE, headers={**SECURE_HEADERS, "content-security-policy": _POLICY})

    def file(at: str, path: Path, media_type: str, cache_control: str) -> Route:
        # Not FileResponse: it responds to an invalid `Range` with an error of its own shape.
        def serve(_: Request) -> Response:
            headers = {**SECURE_HEADERS, "cache-control": cache_control}
            return Response(path.read_bytes(), media_type=media_type, headers=headers)

        return Route(at, serve)

    def asset(path: Path, media_type: str, cache_control: str) -> Route:
        return file(f"/docs/assets/{path.name}", path, media_type, cache_control)

    return [
        Route("/docs", show),
        file("/docs/openapi.json", openapi_path, "application/json", "no-cache"),
        *(asset(_OUR_FOLDER / name, media_type, "no-cache") for name, media_type in _OURS.items()),
        *(asset(folder / name, media_type, "public, max-age=86400") for name, media_type in _SWAGGER_UI.items()),
    ]
