"""The services of personal data in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from tenantgate.cache.interface import Cache
from tenantgate.data_keys.cache import HeldKeys
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.wiring import data_keys
from tenantgate.database.moments import whole_seconds
from tenantgate.database.unit import Database, Unit
from tenantgate.database.wiring import database
from tenantgate.openid_provider.storage.repository import UserRowsRepository
from tenantgate.privacy.exporting.service import ExportService, ExportSource
from tenantgate.privacy.exporting.sources import DataKeySource, EventSource, Listed
from tenantgate.privacy.models import Record, Subject
from tenantgate.privacy.repository import Eraser, PrivacyRepository
from tenantgate.privacy.service import Anchors, ErasureService
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revocation.wiring import revocation_repository
from tenantgate.revoked.names import subject_name, user_name
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.models import ERASED, ERASED_BY_OPERATOR, End, StoredSession, User
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_endings, session_policy, session_service, session_service_of
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings
from tenantgate.transparency.wiring import anchors as anchors_of


async def erasure_service() -> ErasureService:
    """Build the service that erases, on the process's database and cache. It is cheap."""
    store, sessions = database(), await session_service()
    repository = SessionRepository(store, session_endings(session_policy(get_settings())))
    return ErasureService(
        PrivacyRepository(store, DataKeyRepository(store)),
        data_keys(),
        lambda: EndedSessions(repository, sessions, ERASED),
        others=partial(_own_provider_rows, get_settings()),
        anchors=anchors_of(get_settings()),
    )


def erasure_service_of(
    settings: Settings,
    store: Database,
    values: Cache | None,
    *,
    publish: Callable[[], Awaitable[None]],
    anchors: Anchors | None,
) -> ErasureService:
    """Build the service of an operator's command. `publish`: as in `sessions.cache.SessionCache`."""
    sessions = session_service_of(settings, store, values, publish=publish)
    repository = SessionRepository(store, session_endings(session_policy(settings)))
    return ErasureService(
        PrivacyRepository(store, DataKeyRepository(store)),
        HeldKeys(),
        lambda: EndedSessions(repository, sessions, ERASED_BY_OPERATOR),
        others=partial(_own_provider_rows, settings),
        anchors=anchors,
    )


async def export_service() -> ExportService:
    """Build the service that exports. Raises `SecretsUnavailable`."""
    store = database()
    privacy, keys = PrivacyRepository(store, DataKeyRepository(store)), data_keys()
    sessions = SessionRepository(store, session_endings(policy := session_policy(get_settings())))

    async def load_sessions(subject: Subject) -> Sequence[tuple[str, Record]]:
        found = await sessions.of_user(User(*subject))
        return [(str(one.id), _session(one, ends_at=one.ends_at(policy))) for one in found]

    sources: list[ExportSource] = [
        Listed("sessions", load_sessions),
        DataKeySource(privacy),
        Listed("revocations", partial(_revocations, revocation_repository())),
        Listed("provider", partial(_provider_rows, store)),
        EventSource(privacy, keys),
    ]
    return ExportService(privacy, keys, sources, await secret_store().sealer())


class EndedSessions:
    """Ends a person's sessions: in the unit of work of the erasure, and then in Valkey."""

    def __init__(self, repository: SessionRepository, service: SessionService, end: End) -> None:
        self._repository = repository
        self._service = service
        self._end = end
        self._ended: Sequence[StoredSession] = ()

    async def __call__(self, unit: Unit, subject: Subject) -> int:
        self._ended = await self._repository.remove_of_user_in(unit, User(*subject), end=self._end)
        return len(self._ended)

    async def spread(self) -> None:
        await self._service.publish_ends(self._ended, end=self._end)


def _own_provider_rows(settings: Settings, subject: Subject) -> Sequence[Eraser]:
    user_id = _own_user_id(settings, subject)
    if user_id is None:
        return ()

    async def erase(unit: Unit, subject: Subject) -> int:
        return await UserRowsRepository.remove_in(unit, subject.tenant_id, user_id)

    return (erase,)


def _own_user_id(settings: Settings, subject: Subject) -> UUID | None:
    """Return the user's id at the built-in provider; None for users of other issuers."""
    if settings.is_development and subject.issuer == f"{settings.public_base_url}/idp":
        with suppress(ValueError):
            return UUID(subject.user_id)
    return None


async def _provider_rows(store: Database, subject: Subject) -> Sequence[tuple[str, Record]]:
    user_id = _own_user_id(get_settings(), subject)
    if user_id is None:
        return ()
    return [
        (
            f"{row['kind']} {row['id']}",
            {
                "kind": row["kind"],
                "client_id": row["client_id"],
                "scope": row["scope"],
                "auth_time": whole_seconds(row["auth_time"]),
                "expires_at": whole_seconds(row["expires_at"]),
            },
        )
        for row in await UserRowsRepository(store).of_user(subject.tenant_id, user_id)
    ]


async def _revocations(store: RevocationRepository, subject: Subject) -> Sequence[tuple[str, Record]]:
    rows = await store.named([user_name(*subject), subject_name(subject.issuer, subject.user_id)])
    return [
        (
            row["name"].hex(),
            {
                "kind": row["kind"],
                "revoked_at": whole_seconds(row["revoked_at"]),
                "expires_at": None if row["expires_at"] is None else whole_seconds(row["expires_at"]),
            },
        )
        for row in rows
    ]


def _session(stored: StoredSession, *, ends_at: int) -> Record:
    """Return a session without its credentials: its secret, its CSRF token, and the provider's tokens."""
    return {
        "id": str(stored.id),
        "created_at": stored.created_at,
        "auth_time": stored.auth_time,
        "provider_auth_time": stored.provider_auth_time,
        "last_used_at": stored.last_used_at,
        "expires_at": ends_at,
        "scopes": [*stored.grants.scopes],
        "roles": [*stored.grants.roles],
        "acr": stored.grants.acr,
        "amr": [*stored.grants.amr],
        "device": stored.device,
        "address": stored.address,
        "provider_tokens": "held",
    }
