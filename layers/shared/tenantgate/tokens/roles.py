"""The roles that a token gives, as far as its issuer may give them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.tokens.claim_reader import Claims, find, texts_in
from tenantgate.tokens.issuers import SCOPE_CLAIMS, IssuerPolicy

_NONE: frozenset[str] = frozenset()


class RoleReader:
    """Reads roles, the union of all claims named for them, and keeps those on the issuer's allow-list.

    A claim holds one role or a list of them, or is an object of objects whose names are the roles (Zitadel).
    """

    def __init__(self, names: tuple[str, ...], issuers: tuple[IssuerPolicy, ...]) -> None:
        self._of = {policy.issuer: _Reading(policy, names) for policy in issuers}

    def read(self, claims: Claims, *, issuer: str, tenant_id: str) -> tuple[frozenset[str], Claims]:
        """The roles in a verified token of this issuer and tenant, and the claims that others may see.

        A claim of another form gives no role. From an issuer with an allow-list, the claims that hold scopes and roles
        are withheld: what the list dropped must not be read from them after all.
        """
        reading = self._of[issuer]
        found = _NONE
        for name in reading.names:
            value = find(claims, name)
            if value is not None:
                found = found.union(_roles(value, tenant_id))
        if reading.allowed is not None:
            found &= reading.allowed
        if reading.withheld is not None:
            claims = {name: value for name, value in claims.items() if name not in reading.withheld}
        return found, claims


class _Reading:
    __slots__ = ("allowed", "names", "withheld")

    def __init__(self, policy: IssuerPolicy, names: tuple[str, ...]) -> None:
        self.names = policy.role_claims or names
        self.allowed = policy.roles
        self.withheld: frozenset[str] | None = None
        if policy.roles is not None or policy.scopes is not None:
            self.withheld = _heads((*names, *self.names, *policy.scope_claims, *SCOPE_CLAIMS))


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
