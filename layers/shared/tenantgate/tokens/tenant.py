"""Which tenant a token speaks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tenantgate.errors import TenantMalformed, TenantMissing, TenantNotAllowed
from tenantgate.tokens.claims import Claims, shown
from tenantgate.tokens.issuers import IssuerPolicy

_LONGEST = 128


class TenantExtractor:
    """Finds the tenant id under claim names in priority order.

    A name is first a claim of just that name; else, when it is dotted and no URI, a path into nested objects. The first
    name that is present decides: a malformed value under it is not made good by a later name. `null` counts as absent.
    `issuers` gives an issuer claim names of its own and binds it to the tenants that it may speak for.
    """

    def __init__(
        self, names: tuple[str, ...], pattern: re.Pattern[str], *, issuers: tuple[IssuerPolicy, ...] = ()
    ) -> None:
        self._paths = _paths(names)
        self._matches = pattern.fullmatch
        self._paths_of = {
            policy.issuer: _paths(policy.tenant_claim_names)
            for policy in issuers
            if policy.tenant_claim_names is not None
        }
        self._tenants_of = {policy.issuer: policy.tenants for policy in issuers if policy.tenants is not None}

    def tenant_of(self, claims: Claims) -> str:
        """Raises `TenantMissing`, `TenantMalformed`, or `TenantNotAllowed`, all `AUTH_005`."""
        issuer = claims.get("iss")
        paths = self._paths_of.get(issuer, self._paths) if isinstance(issuer, str) else self._paths
        for name, path in paths:
            value = claims.get(name)
            if value is None and path is not None:
                value = _nested(claims, path)
            if value is not None:
                return self._accepted(value, name, issuer)
        raise TenantMissing("no tenant claim", expected=[name for name, _ in paths])

    def _accepted(self, value: object, name: str, issuer: object) -> str:
        if not isinstance(value, str) or len(value) > _LONGEST or self._matches(value) is None:
            raise TenantMalformed("the tenant claim's form is wrong", claim=name, actual=shown(value))
        bound = self._tenants_of.get(issuer) if isinstance(issuer, str) else None
        # One tenant's issuer must never be able to speak for another tenant.
        if bound is not None and value not in bound:
            raise TenantNotAllowed("the issuer may not speak for this tenant", issuer=issuer, actual=value)
        return value


def _paths(names: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...] | None], ...]:
    return tuple((name, tuple(name.split(".")) if "." in name and "://" not in name else None) for name in names)


def _nested(claims: Claims, path: tuple[str, ...]) -> object:
    value: object = claims
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value
