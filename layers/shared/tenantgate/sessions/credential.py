"""The session cookie as a credential of web functions. Their other imports wait until a request has a cookie."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.sessions.errors import SecretReused

if TYPE_CHECKING:
    from tenantgate.identity.session_entry import SessionEntry

# The errors of a route that accepts session cookies.
COOKIE_ERRORS = (SessionEnded, SecretReused, TenantNotAllowed, DatabaseUnreachable, RevocationUnknown)


async def session_credential(cookie: str) -> SessionEntry:
    """Return what the session behind a cookie grants, from Valkey or PostgreSQL.

    Raises `COOKIE_ERRORS`.
    """
    from tenantgate.sessions.wiring import session_service, unrevoked  # noqa: PLC0415

    return await unrevoked(await (await session_service()).authenticate(cookie))


async def recorded_session(cookie: str) -> SessionEntry:
    """Return the same from PostgreSQL, which knows at once that a session has ended."""
    from tenantgate.sessions.cache import entry_of  # noqa: PLC0415
    from tenantgate.sessions.wiring import session_service, unrevoked  # noqa: PLC0415

    service, read_at = await session_service(), time.time()
    return await unrevoked(entry_of(await service.locate(cookie), service.policy, read_at=read_at))
