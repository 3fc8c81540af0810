"""The users of the built-in provider: only the demo user so far."""

from __future__ import annotations

from typing import Protocol

from tenantgate.crypto.comparison import same_text
from tenantgate.openid_provider.models import User
from tenantgate.openid_provider.storage.demo import (
    DEMO_CLAIMS,
    DEMO_PASSWORD,
    DEMO_TENANT_ID,
    DEMO_USER_ID,
    DEMO_USERNAME,
)


class UserDirectory(Protocol):
    """The users that can sign in."""

    def authenticate(self, username: str, password: str) -> User | None:
        """Return the user whose name and password these are."""
        ...

    def find(self, user_id: str) -> User | None: ...


class DemoUsers:
    """The demo user. Its password is published, so it exists only in development."""

    def __init__(self, *, is_development: bool) -> None:
        if not is_development:
            raise RuntimeError("the demo user exists in development only")
        self._user = User(DEMO_USER_ID, DEMO_TENANT_ID, DEMO_CLAIMS)

    def authenticate(self, username: str, password: str) -> User | None:
        # Both comparisons always run: the time must not tell which of them failed.
        known = same_text(username.strip().lower(), DEMO_USERNAME)
        matches = same_text(password, DEMO_PASSWORD)
        return self._user if known & matches else None

    def find(self, user_id: str) -> User | None:
        return self._user if user_id == self._user.id else None
