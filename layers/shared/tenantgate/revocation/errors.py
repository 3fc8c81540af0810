"""Errors of revocations. Those of decisions are in `errors/revocation.py`, because the authorizer has them, too.

TenantgateError
└── CacheUnavailable          SYS_005, in `errors/cache.py`
    └── NotYetEverywhere
"""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable


class NotYetEverywhere(CacheUnavailable):
    """The revocation is recorded, but Valkey, from which the authorizer reads, doesn't have it.

    It takes effect with the next publication; until then the authorizer stops deciding when its list is too old. A
    revocation may be repeated.
    """

    def __init__(self, cause: TenantgateError) -> None:
        super().__init__(
            cause.reason,
            detail="The revocation is recorded, but not yet known everywhere. Repeat it to learn when it is.",
            **cause.private,
        )
