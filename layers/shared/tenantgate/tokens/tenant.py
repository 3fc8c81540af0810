"""The tenant of a token."""

from __future__ import annotations

import re

from tenantgate.errors.tokens import TenantMalformed, TenantMissing, TenantNotAllowed
from tenantgate.tokens.claims import Claims, find, one_text, only_name, shown
from tenantgate.tokens.issuers import IssuerPolicy

# The deployment's own log of audit events, for those without a verified tenant. No token may name it, under any
# `TENANT_ID_PATTERN`: its issuer could read the log, and write into it.
DEPLOYMENT = ":deployment"
_LONGEST = 128


def may_be_named(tenant_id: str, pattern: re.Pattern[str]) -> bool:
    """Tell whether a token may name this tenant. `pattern`: of `TENANT_ID_PATTERN`.

    Printable under any pattern: a tenant id goes into logs, headers and the authorizer's context.
    """
    return (
        tenant_id != DEPLOYMENT
        and len(tenant_id) <= _LONGEST
        and tenant_id.isprintable()
        and pattern.fullmatch(tenant_id) is not None
    )


class TenantExtractor:
    """Finds the tenant id under claim names in priority order.

    `claims.py` looks a name up. The first name that is present decides: if its value is malformed, no later name is
    tried. `issuers` can give an issuer its own claim names, and bind it to the tenants that it may issue tokens for.
    """

    def __init__(
        self, names: tuple[str, ...], pattern: re.Pattern[str], *, issuers: tuple[IssuerPolicy, ...] = ()
    ) -> None:
        self._names = names
        self._pattern = pattern
        self._names_of = {
            policy.issuer: policy.tenant_claim_names for policy in issuers if policy.tenant_claim_names is not None
        }
        self._tenants_of = {policy.issuer: policy.tenants for policy in issuers if policy.tenants is not None}

    def tenant_of(self, claims: Claims) -> str:
        """Return the tenant id; raises `TenantMissing`, `TenantMalformed`, or `TenantNotAllowed`, all `AUTH_005`."""
        issuer = claims.get("iss")
        names = self._names_of.get(issuer, self._names) if isinstance(issuer, str) else self._names
        for name in names:
            value = claims.get(name)
            if value is None and "." in name:
                value = find(claims, name)
            if value is not None:
                return self._accepted(value, name, issuer)
        raise TenantMissing("no tenant claim", expected=list(names))

    def _accepted(self, value: object, name: str, issuer: object) -> str:
        tenant = value if isinstance(value, str) else one_text(value) or only_name(value)
        if tenant is None or not may_be_named(tenant, self._pattern):
            raise TenantMalformed(
                "the tenant claim's form is wrong", claim=name, expected=self._pattern.pattern, actual=shown(value)
            )
        bound = self._tenants_of.get(issuer) if isinstance(issuer, str) else None
        # The issuer of one tenant must never be able to issue tokens for another tenant.
        if bound is not None and tenant not in bound:
            raise TenantNotAllowed(
                "the issuer may not issue tokens for this tenant", issuer=issuer, expected=sorted(bound), actual=tenant
            )
        return tenant
