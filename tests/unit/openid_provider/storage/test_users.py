"""The demo user."""

import pytest

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USER_ID, DEMO_USERNAME
from tenantgate.openid_provider.storage.users import DemoUsers


def test_exists_only_in_development() -> None:
    with pytest.raises(RuntimeError):
        DemoUsers(is_development=False)


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
    ],
)
def test_signs_in_with_name_and_password(username: str, password: str, known: bool) -> None:
    assert (DemoUsers(is_development=True).authenticate(username, password) is not None) is known


def test_is_found_by_id() -> None:
    users = DemoUsers(is_development=True)
    user = users.find(DEMO_USER_ID)
    assert user is not None
    assert user.tenant_id == DEMO_TENANT_ID
    assert users.find("another") is None
