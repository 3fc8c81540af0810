"""How callers prove who they are, as OpenAPI 3.1 says it (§4.8.27): the schemes, and what a route needs of them."""

from __future__ import annotations

from typing import Any

from tenantgate.settings.model import Settings
from tenantgate.web.cookies import SESSION_COOKIE

# The `openapi_extra=` of a route. Alternatives: any one of them is enough.
NEEDS_TOKEN: dict[str, Any] = {"security": [{"bearer": []}, {"openIdConnect": []}]}
NEEDS_TOKEN_OR_SESSION: dict[str, Any] = {"security": [*NEEDS_TOKEN["security"], {"session": []}]}


def security_schemes(settings: Settings) -> dict[str, dict[str, str]]:
    """The document's `components.securitySchemes`."""
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
            "description": "Where such a token comes from.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "The session that a sign-in in a browser starts.",
        },
    }
