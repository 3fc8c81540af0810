"""Responds with the caller that the authorizer passed on, in each of its three forms."""

from __future__ import annotations

import json
from typing import Any

type Event = dict[str, Any]

# The claim that holds the tenant. Behind API Gateway's own authorizers, the function itself must know it.
TENANT_CLAIM = "tenant_id"


def caller_of(event: Event) -> dict[str, Any]:
    """Return user and tenant. Raises PermissionError if the token names no tenant."""
    authorizer = event["requestContext"]["authorizer"]
    if "lambda" in authorizer:
        # Tenantgate verified that there is exactly one tenant, of the right form, and of this issuer.
        context = authorizer["lambda"]
        return {"by": "tenantgate", "user_id": context["user_id"], "tenant_id": context["tenant_id"]}
    # An HTTP API passes all claims on as texts, a REST API with their types.
    claims = authorizer["jwt"]["claims"] if "jwt" in authorizer else authorizer["claims"]
    tenant = claims.get(TENANT_CLAIM)
    if not isinstance(tenant, str) or not tenant:
        raise PermissionError("the token has no tenant")
    return {"by": "api gateway", "user_id": claims["sub"], "tenant_id": tenant}


def lambda_handler(event: Event, _context: object) -> dict[str, Any]:
    try:
        status, body = 200, caller_of(event)
    except PermissionError:
        status, body = 403, {"message": "Forbidden"}
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
