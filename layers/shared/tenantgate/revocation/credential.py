"""The current revocations for web functions. The other imports wait until a request has a credential."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from tenantgate.revocation.distribution.current import CurrentRevocations, NoRevocations

# By event loop, as the connections on which they are read.
_current: WeakKeyDictionary[asyncio.AbstractEventLoop, CurrentRevocations | NoRevocations] = WeakKeyDictionary()


def current_revocations() -> CurrentRevocations | NoRevocations:
    """Return the running event loop's list."""
    loop = asyncio.get_running_loop()
    if (known := _current.get(loop)) is not None:
        return known
    from tenantgate.revocation.wiring import make_current_revocations  # noqa: PLC0415

    made = _current[loop] = make_current_revocations()
    return made


async def require_key(issuer: str, kid: str | None) -> None:
    """Refuse a key that is revoked, for tokens that begin, renew or end something.

    `kid`: None for a key without an id, which can't be revoked. Raises `TokenRevoked`, `RevocationUnknown`.
    """
    if kid is None:
        return
    revocations = current_revocations()
    await revocations.refresh()
    revocations.current().require_key(issuer, kid)
