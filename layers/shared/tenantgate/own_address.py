"""The address that API Gateway gave an API: `https://<id>.execute-api.<region>.amazonaws.com`.

It is the address of a deployment without `PUBLIC_BASE_URL`. Clients choose the headers `Host` and `X-Forwarded-Host`,
so these never decide. API Gateway writes `requestContext`. Its `domainName` is the name that the client called, which
may be a custom domain or the name of a VPC endpoint. It counts only if it is the one that belongs to the API's own id.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from collections.abc import Mapping


def own_address(context: object, region: str) -> str | None:
    """Return the API's address by an event's `requestContext`; None if the client called another name."""
    if not isinstance(context, Mapping) or not region:
        return None
    api_id, name = context.get("apiId"), context.get("domainName")
    if not isinstance(api_id, str) or not (api_id.isascii() and api_id.isalnum()):
        return None
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{name}" if name == f"{api_id}.execute-api.{region}.{suffix}" else None
