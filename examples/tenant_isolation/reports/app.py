"""Reports of the caller's tenant, kept in the memory of environments that only this tenant uses."""

from __future__ import annotations

import json
from typing import Any

REPORTS: list[str] = []


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle the request. Lambda's tenant must be the caller's, so that a wrong mapping fails here."""
    tenant = event["requestContext"]["authorizer"]["tenant_id"]
    if not tenant or context.tenant_id != tenant:
        raise PermissionError("this environment belongs to another tenant than the caller's")
    if event["httpMethod"] == "POST":
        REPORTS.append(f"report {len(REPORTS) + 1}")
    return {"statusCode": 200, "body": json.dumps({"tenant_id": tenant, "reports": REPORTS})}
