"""The demo users (personas) of the built-in provider, from `personas.toml`. Nothing here is a secret.

Standard library only: the command line shows these values when the stack is ready.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PERSONAS_FILE: Final = Path(__file__).with_name("personas.toml")


@dataclass(frozen=True, slots=True)
class Persona:
    """A demo user, and all that its tokens may hold. `tenants`: ids by name; tokens are for the first by default."""

    id: str
    name: str
    email: str
    tenants: Mapping[str, str]
    roles: tuple[str, ...]
    scopes: tuple[str, ...]

    @property
    def tenant_id(self) -> str:
        return next(iter(self.tenants.values()))

    @property
    def claims(self) -> dict[str, object]:
        """The standard claims of OpenID Connect Core §5.1."""
        given_name, _, family_name = self.name.partition(" ")
        return {
            "name": self.name,
            "given_name": given_name,
            "family_name": family_name,
            "preferred_username": self.email,
            "locale": "en",
            "zoneinfo": "Etc/UTC",
            "email": self.email,
            "email_verified": True,
            "phone_number": "+15550100",
            "phone_number_verified": False,
            "address": {"formatted": "1 Example Street, Exampleville", "locality": "Exampleville"},
        }


def personas_of(document: Mapping[str, Any]) -> tuple[Persona, ...]:
    """Build the personas of a parsed `personas.toml`. Raises `KeyError` for a missing member or an unknown tenant."""
    tenants = document["tenants"]
    return tuple(
        Persona(
            id=given["id"],
            name=given["name"],
            email=given["email"],
            tenants={name: tenants[name] for name in given["tenants"]},
            roles=tuple(given["roles"]),
            scopes=tuple(given["scopes"]),
        )
        for given in document["persona"]
    )


_DOCUMENT: Final = tomllib.loads(PERSONAS_FILE.read_text(encoding="utf-8"))

PERSONAS: Final = personas_of(_DOCUMENT)
DEMO_USER: Final = PERSONAS[0]
DEMO_USERNAME: Final = DEMO_USER.email
DEMO_PASSWORD: Final[str] = _DOCUMENT["password"]
DEMO_USER_ID: Final = DEMO_USER.id
DEMO_TENANT_ID: Final = DEMO_USER.tenant_id
DEMO_CLAIMS: Final = DEMO_USER.claims
