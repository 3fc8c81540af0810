"""Cognito's pre token generation trigger: it copies the user's tenant into the access token as the claim `tenant_id`.

The event has the form V2_0 or V3_0. Only an administrator can write the attribute (`template.yaml`). Nothing else in
the event may name the tenant: `clientMetadata` comes from the app that signs the user in.
"""

from __future__ import annotations

from typing import Any

ATTRIBUTE = "custom:tenant_id"
CLAIM = "tenant_id"


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the event with the claim. A user without the attribute gets a token without it, which Tenantgate refuses.

    Raises ValueError for an event of version V1_0, whose response can't change access tokens: no sign-in works then,
    instead of sign-ins whose tokens are refused.
    """
    if event["version"] == "1":
        raise ValueError("set the trigger's event version to V2_0: V1_0 can't change access tokens")
    tenant = event["request"]["userAttributes"].get(ATTRIBUTE, "")
    changes = {"claimsToAddOrOverride": {CLAIM: tenant}} if tenant else {"claimsToSuppress": [CLAIM]}
    event["response"] = {"claimsAndScopeOverrideDetails": {"accessTokenGeneration": changes}}
    return event
