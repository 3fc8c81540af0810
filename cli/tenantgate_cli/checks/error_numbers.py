"""The owner of each error code: the package whose `errors.py` registers it.

The first codes, and all of SYS and VAL, are listed one by one. Every other code belongs to a block of ten, and each
block to one package, so that two domains never choose the same number. Codes and blocks of packages that don't exist
yet are reserved.
"""

from __future__ import annotations

from collections.abc import Mapping

LISTED: Mapping[str, str] = {
    "AUTH_001": "login",
    "AUTH_002": "login",
    "AUTH_003": "errors.tokens",
    "AUTH_004": "errors.tokens",
    "AUTH_005": "errors.tokens",
    "AUTH_006": "errors.access",
    "AUTH_007": "errors.access",
    "AUTH_008": "errors.tokens",
    "AUTH_009": "login",
    "AUTH_020": "errors.access",
    "AUTH_021": "errors.access",
    "AUTH_030": "errors.revocation",
    "SYS_001": "database",
    "SYS_002": "secrets",
    "SYS_003": "errors.base",
    "SYS_004": "errors.tokens",
    "SYS_005": "errors.cache",
    "SYS_006": "rate_limits",
    "SYS_007": "database",
    "SYS_008": "database",
    "SYS_009": "crypto",
    "SYS_010": "errors.tokens",
    "SYS_011": "errors.revocation",
    "SYS_012": "login",
    "SYS_013": "database",
    "SYS_014": "web",
    "SYS_015": "transparency",
    "VAL_001": "errors.base",
    "VAL_002": "web",
    "VAL_003": "web",
    "VAL_004": "web",
    "VAL_005": "web",
    "VAL_006": "web",
    "VAL_007": "web",
    "VAL_008": "web",
    "VAL_009": "web",
    "VAL_010": "web",
}

# The first code of each block of ten.
BLOCKS: Mapping[str, str] = {
    "AUTH_010": "errors.access",
    "AUTH_020": "sessions",
    "AUTH_030": "revocation",
    "AUTH_040": "openid_provider",
    "AUTH_050": "accounts",
    "AUTH_060": "mfa",
    "AUTH_070": "api_keys",
    "AUTH_080": "roles",
    "AUTH_090": "connections",
    "AUTH_100": "tenants",
    "AUTH_110": "audit",
    "AUTH_120": "privacy",
    "AUTH_130": "signals",
    # A new domain takes the next free block.
}


def owner_of(code: str) -> str | None:
    """Return the package that the code belongs to, below `tenantgate`; None for a code that is not reserved."""
    return LISTED.get(code) or BLOCKS.get(f"{code[:-1]}0")
