"""Errors of the registry. Commands show them; no route does.

TenantgateError
├── TenantUnknown     AUTH_100
└── TenantExists      AUTH_101
"""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

AUTH_100 = register(
    "AUTH_100",
    404,
    "The tenant isn't registered",
    cause="The registry has no tenant with this id.",
    remedy="`tenantgate tenants list` prints the registered ids, and `tenantgate tenants add ID` registers one.",
)


AUTH_101 = register(
    "AUTH_101",
    409,
    "The tenant is already registered",
    cause="The registry has a tenant with this id. Its first sign-in may have registered it.",
    remedy="Change it with `tenantgate tenants set ID`.",
)


class TenantUnknown(TenantgateError):
    error = AUTH_100


class TenantExists(TenantgateError):
    error = AUTH_101
