"""The users of the built-in provider: the personas on a developer's machine, otherwise only the demo user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from tenantgate.crypto.comparison import same_text
from tenantgate.openid_provider.models import User
from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USER, PERSONAS
from tenantgate.openid_provider.storage.personas import Persona


class UserDirectory(Protocol):
    """The users that can sign in."""

    def authenticate(self, username: str, password: str) -> User | None:
        """Return the user whose name and password these are."""
        ...

    def find(self, user_id: str) -> User | None: ...

    def personas(self) -> Sequence[Persona]:
        """Return the users that may sign in without a password."""
        ...

    def scopes(self) -> Sequence[str]:
        """Return the scopes of APIs that any user may have."""
        ...


class DemoUsers:
    """The personas, whose password is published.

    They exist only in local development. A development stack that other machines reach has only the demo user, by
    password and without roles and scopes of APIs: anyone could use them there.
    """

    def __init__(self, *, is_development: bool, is_local: bool) -> None:
        if not is_development:
            raise RuntimeError("the demo users exist in development only")
        self._personas = PERSONAS if is_local else ()
        self._users = PERSONAS if is_local else (replace(DEMO_USER, roles=(), scopes=()),)

    def authenticate(self, username: str, password: str) -> User | None:
        # All comparisons always run: the time must not tell which of them failed.
        matches = same_text(password, DEMO_PASSWORD)
        name = username.strip().lower()
        known = [persona for persona in self._users if same_text(name, persona.email)]
        return _user(known[0]) if matches and known else None

    def find(self, user_id: str) -> User | None:
        return next((_user(persona) for persona in self._users if persona.id == user_id), None)

    def personas(self) -> Sequence[Persona]:
        return self._personas

    def scopes(self) -> Sequence[str]:
        return tuple(dict.fromkeys(scope for persona in self._users for scope in persona.scopes))


def _user(persona: Persona) -> User:
    return User(persona.id, persona.tenant_id, persona.claims, persona.roles, persona.scopes)
