"""The service that receives security events, and the poll of issuers that don't push them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from tenantgate.audit.service import Append
from tenantgate.audit.wiring import append
from tenantgate.database.wiring import database
from tenantgate.provider_copies.wiring import sharing_verifier
from tenantgate.revocation.credential import require_key
from tenantgate.revocation.wiring import revocation_service
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.backchannel.repository import NameRepository
from tenantgate.sessions.backchannel.service import NamedSessions, ProviderName
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.wiring import named_sessions
from tenantgate.settings.environment import get_settings
from tenantgate.signals.client import PollClient, Reply
from tenantgate.signals.service import (
    KeyCheck,
    ReceivedTokens,
    Revocations,
    SecurityEventService,
    UnfinishedEnd,
    Verifier,
)
from tenantgate.signals.tasks import EventPoll
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.policy import TokenPolicy


async def security_event_service() -> SecurityEventService:
    """Build the service that receives security events. It is cheap."""
    policy = get_settings().token_policy
    return make_security_event_service(
        _verifier(),
        transmitters(policy),
        names=NameRepository(database()),
        sessions=await named_sessions(),
        revocations=await revocation_service(actor="provider"),
        require_key=require_key,
        append=append,
    )


async def security_event_poll() -> EventPoll:
    """Build the poll of the issuers with `event_poll_url`. It is cheap."""
    issuers = transmitters(get_settings().token_policy)
    return EventPoll(issuers, PollClient(_send, _authorizations), await security_event_service())


def make_security_event_service(
    verifier: Verifier,
    issuers: Sequence[IssuerPolicy],
    *,
    names: ReceivedTokens,
    sessions: NamedSessions,
    revocations: Revocations,
    require_key: KeyCheck,
    append: Append,
) -> SecurityEventService:
    """Build the service from services of sessions and revocations. `append` records refused tokens."""
    return SecurityEventService(
        verifier,
        issuers,
        received=names,
        sessions=_Sessions(sessions),
        revocations=revocations,
        require_key=require_key,
        append=append,
    )


def transmitters(policy: TokenPolicy) -> Sequence[IssuerPolicy]:
    """Return the issuers that may send security events."""
    return [issuer for issuer in policy.issuers if issuer.event_audiences]


class _Sessions:
    """Adapts the sessions' own look-up to `service.NamedSessions`."""

    def __init__(self, named: NamedSessions) -> None:
        self._named = named

    async def digests(self, issuer: str, *, user: str | None, sid: str | None) -> Sequence[bytes]:
        return [alternatives[0] for alternatives in await self._named.digests(ProviderName(issuer, user, sid))]

    async def end(
        self, issuer: str, *, user: str | None, sid: str | None, tenant_id: str | None
    ) -> Sequence[StoredSession]:
        try:
            return await self._named.end(ProviderName(issuer, user, sid), tenant_id=tenant_id)
        except EndedOnlyInPart as error:
            raise UnfinishedEnd(error.ended, error) from error


@functools.cache
def _verifier() -> Verifier:
    return sharing_verifier(get_settings().token_policy)


async def _authorizations() -> str:
    return await secret_store().get("EVENT_POLL_AUTHORIZATION")


async def _send(url: str, *, headers: Mapping[str, str], body: Mapping[str, object]) -> Reply:
    # Imported here: issuers usually push their events.
    from tenantgate.login.provider.calls import ProviderCalls, Timeouts  # noqa: PLC0415

    return await ProviderCalls().send("POST", url, headers=headers, timeouts=Timeouts(), json_body=body)
