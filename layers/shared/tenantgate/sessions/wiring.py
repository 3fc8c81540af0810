"""The session service of this process."""

from __future__ import annotations

from tenantgate.database.wiring import database
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService


async def session_service() -> SessionService:
    """Sessions in the process's database, sealed with the current keys; raises `SecretsUnavailable`.

    Cheap, and meant to be called per request: so rotated sealing keys are picked up.
    """
    return SessionService(SessionRepository(database()), await secret_store().sealer())
