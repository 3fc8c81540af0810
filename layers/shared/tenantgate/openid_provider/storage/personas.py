"""Personas: the demo users of `personas.toml`. Developers edit that file, so every mistake in it gets words.

Standard library only: the command line reads the file, too.
"""

from __future__ import annotations

import re
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PERSONAS_FILE: Final = Path(__file__).with_name("personas.toml")

# RFC 6749 §3.3.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_TEXTS = ("id", "name", "email")
_LISTS = ("tenants", "roles", "scopes")


class PersonasError(ValueError):
    """`personas.toml` can't be used. The text says where and why."""


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


def parse_personas(text: str) -> tuple[str, tuple[Persona, ...]]:
    """Return the password of all personas, and the personas in the order of the file. Raises `PersonasError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PersonasError(f"it is not TOML: {error}") from None
    password, tenants, given = (document.get(name) for name in ("password", "tenants", "persona"))
    if not _is_text(password):
        raise PersonasError("password must be a text")
    if not isinstance(tenants, dict) or not tenants or not all(_is_text(tenant) for tenant in tenants.values()):
        raise PersonasError('[tenants] must name at least one tenant: demo = "org-…"')
    if not isinstance(given, list) or not given:
        raise PersonasError("there must be at least one [[persona]]")
    personas = tuple(_persona(f"[[persona]] {number}", entry, tenants) for number, entry in enumerate(given, 1))
    for name in _TEXTS:
        _check_unique(name, [getattr(persona, name) for persona in personas])
    return str(password), personas


def _persona(place: str, given: object, tenants: Mapping[str, str]) -> Persona:
    if not isinstance(given, dict):
        raise PersonasError(f"{place} must be a table")
    _check_members(place, given)
    for name in given["tenants"]:
        if name not in tenants:
            raise PersonasError(f"{place}: the tenant {name!r} is not in [tenants]")
    for scope in given["scopes"]:
        if not _SCOPE.match(scope):
            raise PersonasError(f"{place}: {scope!r} is not a scope (RFC 6749 §3.3)")
    return Persona(
        id=_uuid(place, given["id"]),
        name=given["name"],
        email=given["email"].lower(),
        tenants={name: tenants[name] for name in given["tenants"]},
        roles=tuple(given["roles"]),
        scopes=tuple(given["scopes"]),
    )


def _check_members(place: str, given: Mapping[str, object]) -> None:
    for name in _TEXTS:
        if not _is_text(given.get(name)):
            raise PersonasError(f"{place}: {name} must be a text")
    for name in _LISTS:
        values = given.get(name)
        if not isinstance(values, list) or not all(_is_text(value) for value in values):
            raise PersonasError(f"{place}: {name} must be a list of texts")
    if not given["tenants"]:
        raise PersonasError(f"{place}: tenants must name at least one tenant")
    if unknown := sorted(given.keys() - {*_TEXTS, *_LISTS}):
        raise PersonasError(f"{place}: {unknown[0]!r} is not known here")


def _uuid(place: str, text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise PersonasError(f"{place}: id must be a UUID, such as {uuid.uuid4()}") from None


def _check_unique(name: str, values: Sequence[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise PersonasError(f"two personas have the {name} {value!r}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value == value.strip() and value != "" and value.isprintable()
