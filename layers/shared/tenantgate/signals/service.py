"""Act on security event tokens: end the sessions, tokens and users that a trusted issuer names."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from tenantgate.audit.models import Event, StoredEvent
from tenantgate.audit.service import Append
from tenantgate.errors.base import Word
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import TokenError
from tenantgate.observability.security_events import log_security_event, reasons_of
from tenantgate.signals.errors import (
    AlreadyReceived,
    ForeignSubject,
    SecurityEventRefused,
    shown_type,
)
from tenantgate.signals.models import ENDING_EVENTS, VERIFICATION_EVENT, Subject, read_subject
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.security_event import LONGEST_AGE_SECONDS, SecurityEvent
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.tokens.waiting import awaited

# Beyond the age at which a token is refused anyway: the clocks of two servers differ.
_REMEMBERED_SECONDS = LONGEST_AGE_SECONDS + 3600


# Raises `TokenRevoked` if the issuer's key with this id is revoked, and `RevocationUnknown`.
type KeyCheck = Callable[[str, str | None], Awaitable[None]]


class Verifier(Protocol):
    """The part of `tokens.verifier.TokenVerifier` that verifies security event tokens."""

    def verify_security_event(
        self, token: str, *, audiences: Mapping[str, Collection[str]], fetch: bool
    ) -> SecurityEvent: ...


class ReceivedTokens(Protocol):
    """A store of the tokens that were received."""

    async def begin(self, token_hash: bytes, *, named: Sequence[bytes], issued_at: float, expires_at: float) -> bool:
        """Record a token. Return False if it was finished before."""
        ...

    async def finish(self, token_hash: bytes, *, at: float, event: StoredEvent) -> None:
        """Record that a token was acted on, with its audit event."""
        ...


class EndedSession(Protocol):
    """A session that has ended: how its access tokens name the user."""

    @property
    def issuer(self) -> str: ...

    @property
    def user_id(self) -> str: ...


class UnfinishedEnd(Exception):
    """Sessions have ended in PostgreSQL, but not yet everywhere."""

    def __init__(self, ended: Sequence[EndedSession], cause: CacheUnavailable) -> None:
        super().__init__(cause.reason)
        self.ended = ended
        self.cause = cause


class NamedSessions(Protocol):
    """The sessions by an issuer's names: the `sid` of one, the subject of all of a user, or both."""

    async def digests(self, issuer: str, *, user: str | None, sid: str | None) -> Sequence[bytes]:
        """Return the digests by which a sign-in that is running finds that its session has ended."""
        ...

    async def end(
        self, issuer: str, *, user: str | None, sid: str | None, tenant_id: str | None
    ) -> Sequence[EndedSession]:
        """End the sessions, in one tenant or in all, with their access tokens; return them.

        Raises `UnfinishedEnd` after all have ended in PostgreSQL, and `DatabaseUnreachable`, `SecretsUnavailable`.
        """
        ...


class Revocations(Protocol):
    """The part of `revocation.service.RevocationService` that events need.

    Each method raises `CacheUnavailable` if it is recorded, but not yet everywhere, and `DatabaseUnreachable`;
    repeating is harmless.
    """

    async def revoke_token(self, issuer: str, *, token_id: str) -> None: ...

    async def revoke_user(self, tenant_id: str | None, issuer: str, user_id: str) -> None:
        """Revoke what the user got up to now, in one tenant or in all."""
        ...

    async def revoke_tenant(self, tenant_id: str) -> None: ...


class SecurityEventService:
    """Acts on security event tokens. `issuers`: those that may send them. `clock` returns epoch seconds."""

    def __init__(
        self,
        verifier: Verifier,
        issuers: Collection[IssuerPolicy],
        *,
        received: ReceivedTokens,
        sessions: NamedSessions,
        revocations: Revocations,
        require_key: KeyCheck,
        append: Append,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._append = append
        self._verifier = verifier
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._audiences = {issuer.issuer: issuer.event_audiences for issuer in issuers}
        self._received = received
        self._sessions = sessions
        self._revocations = revocations
        self._require_key = require_key
        self._clock = clock

    async def receive(self, token: str, *, issuer: str | None = None) -> None:
        """Verify a token and end what its subject names. Returns when that holds everywhere.

        `issuer`: the only one whose token is expected, if it was fetched from there. A token counts once, so that a
        copy can't sign the user out after the next sign-in; after a failure on our side it may be sent again.

        Raises `SecurityEventRefused`, the errors of `NamedSessions` and `Revocations`, `RevocationUnknown`, and
        `ProviderUnreachable`, `Overloaded` when the keys to verify it can't be fetched.
        """
        audiences = {name: values for name, values in self._audiences.items() if values and issuer in (None, name)}
        try:
            event = await awaited(lambda: self._verifier.verify_security_event(token, audiences=audiences, fetch=False))
            await self._require_key(event.issuer, event.kid)
            await self._act(event)
        except TokenError as rejection:
            refused = SecurityEventRefused.of(rejection)
            await self._refuse(refused)
            raise refused from rejection
        except SecurityEventRefused as refused:
            await self._refuse(refused)
            raise

    async def _act(self, event: SecurityEvent) -> None:
        ends = not ENDING_EVENTS.isdisjoint(event.events)
        subject = self._subject(event) if ends else None
        named: Sequence[bytes] = ()
        if subject is not None and (subject.user or subject.sid):
            named = await self._sessions.digests(event.issuer, user=subject.user, sid=subject.sid)
        token_hash = hashlib.sha256(f"security event\0{event.issuer}\0{event.token_id}".encode()).digest()
        # Before anything ends: a sign-in whose session isn't found below finds this record.
        is_new = await self._received.begin(
            token_hash,
            named=named,
            issued_at=event.issued_at,
            expires_at=event.issued_at + _REMEMBERED_SECONDS,
        )
        if not is_new:
            raise AlreadyReceived("jti was received before")
        ended = () if subject is None else await self._end(event.issuer, subject)
        is_known = ends or VERIFICATION_EVENT in event.events
        recorded = Event(
            "SECURITY_EVENT_RECEIVED" if is_known else "SECURITY_EVENT_IGNORED",
            DEPLOYMENT,
            actor="provider",
            resource_type="security_event_token",
            detail={
                "issuer": event.issuer,
                "types": [shown_type(name) for name in event.events],
                "sessions": len(ended),
            },
        )
        await self._received.finish(token_hash, at=self._clock(), event=recorded.stored(None))
        details = {
            "issuer": Word(event.issuer),
            "types": [Word(shown_type(name)) for name in event.events],
            "sessions": len(ended),
        }
        log_security_event(
            "SECURITY_EVENT_RECEIVED" if is_known else "SECURITY_EVENT_IGNORED",
            kind="security_event_token",
            actor="provider",
            tenant_id=None if subject is None else subject.tenant_id,
            details=details,
        )

    async def _refuse(self, refused: SecurityEventRefused) -> None:
        details = {"err": Word(refused.err), **reasons_of(refused)}
        log_security_event("SECURITY_EVENT_REFUSED", kind="security_event_token", actor=None, details=details)
        event = Event(
            "SECURITY_EVENT_REFUSED",
            DEPLOYMENT,
            outcome="denied",
            resource_type="security_event_token",
            detail={"err": refused.err},
        )
        await self._append(event)

    def _subject(self, event: SecurityEvent) -> Subject:
        subject = read_subject(event.subject, issuer=event.issuer)
        if subject.tenant_id is None:
            return subject
        bound = self._issuers[event.issuer].tenants
        # A tenant as a whole may be named only by an issuer that an operator bound to it: its other users may be
        # another issuer's. Next to a user or a session, it only narrows what is the issuer's own.
        if subject.tenant_id not in (bound or ()) and (bound is not None or subject.is_whole_tenant):
            raise ForeignSubject("the issuer isn't bound to the tenant")
        return subject

    async def _end(self, issuer: str, subject: Subject) -> Sequence[EndedSession]:
        """End what the subject names and return the sessions.

        `CacheUnavailable` is raised after everything has ended in PostgreSQL.
        """
        user, sid, token_id, tenant_id = subject
        if token_id is not None:
            await self._revocations.revoke_token(issuer, token_id=token_id)
            return ()
        if user is None and sid is None:
            await self._revocations.revoke_tenant(str(tenant_id))
            return ()
        ended: Sequence[EndedSession] = ()
        failure: CacheUnavailable | None = None
        users: set[tuple[str, str]] = set()
        if user is not None and sid is None and self._issuers[issuer].user_claim == "sub":
            users.add((issuer, user))
        try:
            ended = await self._sessions.end(issuer, user=user, sid=sid, tenant_id=tenant_id)
        except UnfinishedEnd as error:
            ended, failure = error.ended, error.cause
        if sid is None:
            # Access tokens may come from another issuer, or name the user by another claim: only a session knows it.
            users.update((session.issuer, session.user_id) for session in ended)
        for of_issuer, user_id in sorted(users):
            try:
                await self._revocations.revoke_user(tenant_id, of_issuer, user_id)
            except CacheUnavailable as error:
                failure = error
        if failure is not None:
            raise failure
        return ended
