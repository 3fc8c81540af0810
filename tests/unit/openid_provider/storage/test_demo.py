"""The shipped `personas.toml`: three users of two tenants, each with other privileges."""

import re
import uuid

import pytest

from tenantgate.openid_provider.models import SUPPORTED_SCOPES
from tenantgate.openid_provider.storage.demo import DEMO_USER, PERSONAS
from tenantgate.openid_provider.storage.personas import Persona
from tenantgate.tokens.policy import token_policy

# RFC 6749 §3.3.
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")


def test_the_demo_user_keeps_name_tenant_and_id_so_that_older_data_folders_work() -> None:
    assert (DEMO_USER.email, DEMO_USER.id, DEMO_USER.tenant_id) == (
        "demo@example.test",
        "6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11",
        "org-3d5b1c86-0c57-4b1a-9d0e-5a3f6e2b7c90",
    )


def test_there_are_an_admin_and_a_member_of_one_tenant_and_a_user_of_another() -> None:
    admin, member, outsider = PERSONAS
    assert [persona.name for persona in PERSONAS] == ["Demo Admin", "Demo Member", "Demo Outsider"]
    assert admin.tenant_id == member.tenant_id
    assert member.tenant_id not in outsider.tenants.values()
    assert set(member.scopes) < set(admin.scopes)


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.email)
def test_a_persona_has_a_user_id_and_tenants_and_scopes_that_tokens_may_hold(persona: Persona) -> None:
    pattern = token_policy({"OIDC_ISSUER_URL": "https://op.example.test", "OIDC_CLIENT_ID": "client"}).tenant_id_pattern
    assert str(uuid.UUID(persona.id)) == persona.id
    assert persona.email == persona.email.lower().strip()
    assert [tenant for tenant in persona.tenants.values() if not pattern.fullmatch(tenant)] == []
    assert [scope for scope in persona.scopes if not SCOPE.match(scope) or scope in SUPPORTED_SCOPES] == []
    assert [role for role in persona.roles if not role.isprintable() or not role.strip()] == []


@pytest.mark.parametrize("attribute", ["id", "name", "email"])
def test_no_two_personas_share(attribute: str) -> None:
    assert len({getattr(persona, attribute) for persona in PERSONAS}) == len(PERSONAS)
