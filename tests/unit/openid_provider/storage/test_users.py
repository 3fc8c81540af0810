"""The users who can sign in: the personas locally, only the demo user on a deployed development stack."""

from collections.abc import Callable

import pytest

from tenantgate.openid_provider.storage.demo import (
    DEMO_PASSWORD,
    DEMO_TENANT_ID,
    DEMO_USER_ID,
    DEMO_USERNAME,
    PERSONAS,
)
from tenantgate.openid_provider.storage.personas import Persona
from tenantgate.openid_provider.storage.users import DemoUsers


def local() -> DemoUsers:
    return DemoUsers(is_development=True, is_local=True)


def deployed() -> DemoUsers:
    return DemoUsers(is_development=True, is_local=False)


@pytest.mark.parametrize("is_local", [True, False])
def test_exist_only_in_development(is_local: bool) -> None:
    with pytest.raises(RuntimeError):
        DemoUsers(is_development=False, is_local=is_local)


@pytest.mark.parametrize(
    ("username", "password", "known"),
    [
        pytest.param(DEMO_USERNAME, DEMO_PASSWORD, True, id="right"),
        pytest.param(f" {DEMO_USERNAME.upper()} ", DEMO_PASSWORD, True, id="email-in-other-case"),
        pytest.param(DEMO_USERNAME, DEMO_PASSWORD.upper(), False, id="password-in-other-case"),
        pytest.param(DEMO_USERNAME, f"{DEMO_PASSWORD} ", False, id="trailing-space"),
        pytest.param(DEMO_USERNAME, "", False, id="no-password"),
        pytest.param("", DEMO_PASSWORD, False, id="no-user"),
        pytest.param("unknown@example.test", DEMO_PASSWORD, False, id="unknown-user"),
        pytest.param("Demo Admin", DEMO_PASSWORD, False, id="name-instead-of-email"),
    ],
)
@pytest.mark.parametrize("users", [local, deployed])
def test_sign_in_with_email_and_password(
    users: Callable[[], DemoUsers], username: str, password: str, known: bool
) -> None:
    assert (users().authenticate(username, password) is not None) is known


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.email)
def test_each_persona_exists_locally_with_its_roles_and_scopes(persona: Persona) -> None:
    user = local().authenticate(persona.email, DEMO_PASSWORD)
    assert user is not None
    assert user == local().find(persona.id)
    assert (user.id, user.tenant_id, user.roles, user.scopes) == (
        persona.id,
        persona.tenant_id,
        persona.roles,
        persona.scopes,
    )
    assert persona in local().personas()


def test_a_deployed_stack_has_only_the_demo_user_without_privileges() -> None:
    users = deployed()
    user = users.find(DEMO_USER_ID)
    assert user is not None
    assert (user.tenant_id, user.roles, user.scopes) == (DEMO_TENANT_ID, (), ())
    assert (list(users.personas()), list(users.scopes())) == ([], [])
    for persona in PERSONAS[1:]:
        assert users.find(persona.id) is None
        assert users.authenticate(persona.email, DEMO_PASSWORD) is None


def test_an_unknown_id_is_not_found() -> None:
    assert local().find("another") is None


def test_the_scopes_of_all_personas_are_known_once() -> None:
    assert list(local().scopes()) == ["audit:read", "orders:read", "orders:write"]
