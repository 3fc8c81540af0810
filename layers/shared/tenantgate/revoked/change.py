"""A revocation, as the domains that end something pass it on to be recorded."""

from __future__ import annotations

from tenantgate.revoked.names import RevocationKind
from tenantgate.tokens.records import Record


class Revocation(Record):
    """Something to refuse. `name`: as in `names.py`.

    A user, client or tenant is refused what it got up to the time at which this is recorded. `expires_at`: the epoch
    second after which nothing is left to refuse; None: never. `user_name`, `tenant_name`: of a token or a session, if
    they are known.
    """

    __slots__ = ()

    kind: RevocationKind
    name: bytes
    expires_at: float | None
    user_name: bytes | None = None
    tenant_name: bytes | None = None
