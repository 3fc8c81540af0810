"""The roles that a token gives, as far as its issuer may give them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.tokens.claims import Claims, find, texts_in
from tenantgate.tokens.issuers import SCOPE_CLAIMS, IssuerPolicy

_NONE: frozenset[str] = frozenset()

type _Reading = tuple[tuple[str, ...], frozenset[str] | None, frozenset[str] | None]
"""Where roles are, those that may be given, and the claims that are withheld; None for all and for none."""


class RoleReader:
    """Reads roles, the union of all claims named for them, and keeps those on the issuer's allow-list.

    A claim holds one role or a list of them, or is an object of objects whose names are the roles (Zitadel).
    """

    def __init__(self, names: tuple[str, ...], issuers: tuple[IssuerPolicy, ...]) -> None:
        self._of = {policy.issuer: _reading(policy, names) for policy in issuers}

    def read(self, claims: Claims, *, issuer: str, tenant_id: str) -> tuple[frozenset[str], Claims]:
        """The roles in a verified token of this issuer and tenant, and the claims that others may see.

        A claim of another form gives no role. From an issuer with an allow-list, the claims that hold scopes and roles
        are withheld: what the list dropped must not be read from them after all.
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
    """The claims that these names may be read from: each itself, and every beginning of it at a dot."""
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
    # Zitadel names beside each role the organizations that gave it (id: domain). A role that another organization gave
    # its guest must not count in the guest's own tenant.
    return isinstance(given, Mapping) and (not given or tenant_id in given or tenant_id in given.values())
