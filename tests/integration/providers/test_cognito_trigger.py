"""The trigger of examples/cognito with the documented V2_0 event, and the access token with its result."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.cognito_user_pool_event import PreTokenGenerationV2TriggerEvent

from examples.cognito.trigger.pre_token import handler
from tenantgate.authorizer.environment import bearer_credential
from tenantgate.errors.tokens import TenantMalformed, TenantMissing
from tenantgate.identity.principal import Principal
from tenantgate.tokens import discovery
from tests.fixtures.providers.recipe import RECIPES, RecipeProvider, serving

TENANT = "org-3d5b1c86-0c57-4b1a-9d0e-5a3f6e2b7c90"
OTHER = "org-00000000-0000-4000-8000-000000000000"
COGNITO = next(recipe for recipe in RECIPES if recipe.name == "cognito")
# The form in "Pre token generation Lambda trigger" of Cognito's developer guide.
EVENT: dict[str, Any] = {
    "version": "2",
    "triggerSource": "TokenGeneration_HostedAuth",
    "region": "eu-central-1",
    "userPoolId": "eu-central-1_Ab129faBb",
    "userName": "ada",
    "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
    "request": {
        "userAttributes": {
            "sub": "6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11",
            "cognito:user_status": "CONFIRMED",
            "email_verified": "true",
            "email": "ada@example.com",
            "custom:tenant_id": TENANT,
        },
        "groupConfiguration": {"groupsToOverride": ["admins"], "iamRolesToOverride": [], "preferredRole": None},
        "scopes": ["openid", "profile", "email"],
    },
    "response": {"claimsAndScopeOverrideDetails": None},
}


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecipeProvider]:
    monkeypatch.setattr(discovery, "_directories", {})
    with serving(COGNITO, tmp_path, monkeypatch, now=int(time.time())) as running:
        yield running


def event_of(*, source: str = EVENT["triggerSource"], version: str = "2", **attributes: str | None) -> dict[str, Any]:
    event = copy.deepcopy(EVENT) | {"triggerSource": source, "version": version}
    found = event["request"]["userAttributes"] | {f"custom:{name}": value for name, value in attributes.items()}
    event["request"]["userAttributes"] = {name: value for name, value in found.items() if value is not None}
    return event


def principal_of(provider: RecipeProvider, event: dict[str, Any]) -> Principal:
    """Return the caller by the access token with the claims that the trigger returned.

    Cognito receives it as JSON, adds the claims to those of the token, and then removes the suppressed ones.
    """
    result = PreTokenGenerationV2TriggerEvent(json.loads(json.dumps(handler(event, None))))
    changes = result.response.claims_scope_override_details.access_token_generation
    claims: dict[str, object] = {"tenant_id": None, **changes.claims_to_add_or_override}
    claims |= dict.fromkeys(changes.claims_to_suppress)
    token = provider.access_token({"claims": json.dumps(claims)})
    return bearer_credential({"ENVIRONMENT": "production", **provider.settings}).principal(token)


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize(
    "source", ["TokenGeneration_HostedAuth", "TokenGeneration_Authentication", "TokenGeneration_RefreshTokens"]
)
def test_the_token_has_the_tenant_of_the_attribute(provider: RecipeProvider, source: str, version: str) -> None:
    principal = principal_of(provider, event_of(source=source, version=version))

    assert (principal.tenant_id, principal.roles) == (TENANT, frozenset({"admins"}))


@pytest.mark.parametrize("tenant", [None, ""])
def test_without_the_attribute_the_token_is_refused(provider: RecipeProvider, tenant: str | None) -> None:
    with pytest.raises(TenantMissing):
        principal_of(provider, event_of(tenant_id=tenant))


def test_an_attribute_of_another_form_is_refused(provider: RecipeProvider) -> None:
    with pytest.raises(TenantMalformed):
        principal_of(provider, event_of(tenant_id=f"{TENANT},{OTHER}"))


def test_the_app_can_not_name_the_tenant(provider: RecipeProvider) -> None:
    event = event_of()
    event["request"]["clientMetadata"] = {"tenant_id": OTHER, "custom:tenant_id": OTHER}

    assert principal_of(provider, event).tenant_id == TENANT


def test_only_the_claim_changes() -> None:
    result = handler(event_of(), None)

    assert result == EVENT | {
        "response": {
            "claimsAndScopeOverrideDetails": {"accessTokenGeneration": {"claimsToAddOrOverride": {"tenant_id": TENANT}}}
        }
    }


def test_an_event_that_can_not_change_access_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="V2_0"):
        handler(event_of(version="1"), None)
