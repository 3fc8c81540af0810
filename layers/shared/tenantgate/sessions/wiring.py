"""The session service of this process."""

from __future__ import annotations

from tenantgate.database.wiring import database
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService


async def session_service() -> SessionService:
    """Build the service on the process's database, with the current sealing keys. Raises `SecretsUnavailable`.

    Call it for each request, so that rotated keys take effect. It is cheap.
    """
    return SessionService(SessionRepository(database()), await secret_store().sealer())
