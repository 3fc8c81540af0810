"""Reads the claims that providers shape differently: tenant, user, scopes and roles.

A configured name is first the claim of exactly that name. Otherwise it is a path: its dots lead into objects, and where
several of its beginnings could be a claim, the longest counts, so that `https://example.com/claims.roles` is the member
`roles` of the claim `https://example.com/claims`. Within an object, the step `*` is its only member, whatever its name:
Keycloak's `organization.*.id`. `null` counts as absent everywhere.

These forms are the providers' own; no specification covers them.
"""

from __future__ import annotations

from collections.abc import Mapping

type Claims = Mapping[str, object]

# RFC 8259 §6 leaves the precision of larger numbers to the reader.
_LARGEST_NUMBER = (1 << 63) - 1


class _Several:
    """Found where the step `*` meets an object of several members: a value that fits no claim."""


_SEVERAL = _Several()


def find(claims: Claims, name: str) -> object:
    """The value under this name, or at the end of this path; None when there is none."""
    value = claims.get(name)
    return _at_path(claims, name) if value is None and "." in name else value


def _at_path(members: Mapping[str, object], name: str) -> object:
    end = name.rfind(".")
    while end > 0:
        value = members.get(name[:end])
        if value is not None:
            # The longest beginning decides: a claim that is no object isn't made good by a shorter one.
            return _inside(value, name[end + 1 :]) if isinstance(value, Mapping) else None
        end = name.rfind(".", 0, end)
    return None


def _inside(members: Mapping[str, object], path: str) -> object:
    if path != "*" and not path.startswith("*."):
        return find(members, path)
    if len(members) > 1:
        return _SEVERAL
    value = next(iter(members.values()), None)
    if len(path) == 1:
        return value
    return _inside(value, path[2:]) if isinstance(value, Mapping) else None


def one_text(value: object) -> str | None:
    """A claim that holds one value: a text, a whole number, or a list of exactly one of these. None for other forms.

    A number is written in decimal digits. A boolean or a fraction is none: 1, 1.0 and true must not be one tenant.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and 0 <= value <= _LARGEST_NUMBER else None


def only_name(value: object) -> str | None:
    """Keycloak's claim `organization` when it is an object: the name of its only member, itself an object."""
    if isinstance(value, Mapping) and len(value) == 1:
        name, inner = next(iter(value.items()))
        return name if isinstance(inner, Mapping) else None
    return None


def texts_in(value: object) -> list[str]:
    """A claim that holds any number of values: one, or a list of texts and whole numbers. Other forms hold none."""
    items = value if isinstance(value, list) else (value,)
    return [text for item in items if not isinstance(item, list) and (text := one_text(item))]
