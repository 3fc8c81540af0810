"""Security schemes for the OpenAPI document (OpenAPI 3.1 §4.8.27), and the requirements that routes name."""

from __future__ import annotations

from typing import Any

from tenantgate.settings.model import Settings
from tenantgate.web.cookies import SESSION_COOKIE

# For the `openapi_extra=` of a route. Each list holds alternatives: one of them is enough.
NEEDS_TOKEN: dict[str, Any] = {"security": [{"bearer": []}, {"openIdConnect": []}]}
NEEDS_TOKEN_OR_SESSION: dict[str, Any] = {"security": [*NEEDS_TOKEN["security"], {"session": []}]}


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
