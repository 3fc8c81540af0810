"""The roles in a token, limited to those that its issuer may grant."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.tokens.claims import Claims, find, texts_in
from tenantgate.tokens.issuers import SCOPE_CLAIMS, IssuerPolicy

_NONE: frozenset[str] = frozenset()

type _Reading = tuple[tuple[str, ...], frozenset[str] | None, frozenset[str] | None]
"""The names of the role claims; the roles that may be granted, None for all; the claims to withhold, None for none."""


class RoleReader:
    """Reads the roles in all role claims together, and keeps those on the issuer's allow-list.

    A claim is one role, a list of roles, or an object of objects with the roles as names (Zitadel).
    """

    def __init__(self, names: tuple[str, ...], issuers: tuple[IssuerPolicy, ...]) -> None:
        self._of = {policy.issuer: _reading(policy, names) for policy in issuers}

    def read(self, claims: Claims, *, issuer: str, tenant_id: str) -> tuple[frozenset[str], Claims]:
        """Return the roles in a verified token of this issuer and tenant, and the claims that others may see.

        A claim of another form has no role. If the issuer has an allow-list, the claims with scopes and roles are
        withheld: a reader could find in them the roles that the list removed.
        """
        names, allowed, withheld = self._of[issuer]
        found = _NONE
        for name in names:
            value = claims.get(name)
            if value is None and "." in name:
                value = find(claims, name)
            if value is not None:
                found = found.union(_roles(value, tenant_id))
        if allowed is not None:
            found &= allowed
        if withheld is not None:
            claims = {name: value for name, value in claims.items() if name not in withheld}
        return found, claims


def _reading(policy: IssuerPolicy, names: tuple[str, ...]) -> _Reading:
    own = policy.role_claims or names
    if policy.roles is None and policy.scopes is None:
        return own, None, None
    return own, policy.roles, _heads((*names, *own, *policy.scope_claims, *SCOPE_CLAIMS))


def _heads(names: tuple[str, ...]) -> frozenset[str]:
    """Return the claims that these names may lead to: each name itself, and every beginning of it before a dot."""
    found = set(names)
    for name in names:
        parts = name.split(".")
        found.update(".".join(parts[:count]) for count in range(1, len(parts)))
    return frozenset(found)


def _roles(value: object, tenant_id: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [role for role in texts_in(value) if role.isprintable()]
    return [role for role, given in value.items() if role.isprintable() and role and _given_in(given, tenant_id)]


def _given_in(given: object, tenant_id: str) -> bool:
    # Under each role, Zitadel lists the organizations that granted it (id: domain). A role that a guest has in another
    # organization must not count in the guest's own tenant.
    return isinstance(given, Mapping) and (not given or tenant_id in given or tenant_id in given.values())
