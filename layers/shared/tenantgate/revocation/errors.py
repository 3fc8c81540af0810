"""Errors of revocations. Those of decisions are in `errors/revocation.py`, because the authorizer has them, too.

TenantgateError
└── CacheUnavailable          SYS_005, in `errors/cache.py`
    └── NotYetEverywhere
"""

from __future__ import annotations

from tenantgate.errors.cache import CacheUnavailable


class NotYetEverywhere(CacheUnavailable):
    """The revocation is recorded, but Valkey, from which the authorizer reads, can't be reached.

    It takes effect once Valkey is back; until then the authorizer stops deciding when its list is too old. A
    revocation may be repeated.
    """

    def __init__(self, cause: CacheUnavailable) -> None:
        super().__init__(
            cause.reason,
            detail="The revocation is recorded, but not yet known everywhere. Repeat it to learn when it is.",
            **cause.private,
        )
