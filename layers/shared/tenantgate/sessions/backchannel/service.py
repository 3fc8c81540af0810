"""End sessions by the provider's names for them, and by the logout tokens that it sends."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from tenantgate.audit.line import mark
from tenantgate.audit.models import Event, StoredEvent
from tenantgate.audit.service import Append
from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.base import Word
from tenantgate.errors.tokens import InvalidClaim, TokenError
from tenantgate.observability.security_events import log_security_event, reasons_of
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import BY_PROVIDER, End, StoredSession, sid_text, subject_text
from tenantgate.sessions.service import LOOKUP_PURPOSE
from tenantgate.tokens.logout_token import LogoutToken
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.tokens.waiting import awaited

# At least as long as a sign-in takes from the ID token to the session's row.
_SIGN_IN_SECONDS = 600


class ProviderName(NamedTuple):
    """The provider's name for sessions: by `sid` one of its own sessions, by `subject` all of a user, by both both."""

    issuer: str
    subject: str | None
    sid: str | None

    @property
    def texts(self) -> Sequence[str]:
        """The look-up texts that a session must have, all of them."""
        texts = [] if self.sid is None else [sid_text(self.issuer, self.sid)]
        return texts if self.subject is None else [*texts, subject_text(self.issuer, self.subject)]


class NameStore(Protocol):
    """A store of look-ups and logout tokens, shared by all tenants."""

    async def find_named(self, digests: Sequence[Sequence[bytes]]) -> Sequence[tuple[str, UUID]]:
        """Return the tenant and id of each session that has, for each of one or two names, one of its digests."""
        ...

    async def begin(self, token_hash: bytes, *, named: Sequence[bytes], issued_at: float, expires_at: float) -> bool:
        """Record a logout token. Return False if it was finished before."""
        ...

    async def finish(self, token_hash: bytes, *, at: float, event: StoredEvent) -> None:
        """Record that a logout token was acted on, with its audit event."""
        ...


class Sessions(Protocol):
    """The part of `sessions.service.SessionService` that ends sessions."""

    async def end_sessions(
        self, session_ids: Sequence[UUID], *, tenant_id: str, end: End
    ) -> Sequence[StoredSession]: ...

    async def publish_ends(self) -> None: ...


# Raises `TokenRevoked` if the issuer's key with this id is revoked, and `RevocationUnknown`.
type KeyCheck = Callable[[str, str | None], Awaitable[None]]


class Verifier(Protocol):
    """The part of `tokens.verifier.TokenVerifier` that verifies logout tokens."""

    def verify_logout_token(self, token: str, *, client_id: str, fetch: bool) -> LogoutToken: ...


class NamedSessions:
    """Finds and ends sessions by the provider's names, in all tenants."""

    def __init__(
        self, store: NameStore, sealer: Callable[[], Awaitable[Sealer]], sessions: Callable[[], Awaitable[Sessions]]
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._sessions = sessions

    async def digests(self, name: ProviderName) -> Sequence[Sequence[bytes]]:
        """Return the digests of each text of the name, under the newest key first."""
        sealer = await self._sealer()
        return [sealer.digests(text, purpose=LOOKUP_PURPOSE) for text in name.texts]

    async def end(
        self, name: ProviderName, *, tenant_id: str | None = None, end: End = BY_PROVIDER
    ) -> Sequence[StoredSession]:
        """End the sessions, in all tenants or in one, and return those that existed.

        Raises `EndedOnlyInPart` after all of them have ended in PostgreSQL, and `DatabaseUnreachable` and
        `SecretsUnavailable` when some may not have: a repeated call ends the rest.
        """
        digests, sessions = await self.digests(name), await self._sessions()
        ended: list[StoredSession] = []
        tried: set[tuple[str, UUID]] = set()
        failure: EndedOnlyInPart | None = None
        # A refresh may give a session another id at the same moment: look again until no new one is found.
        while found := [place for place in await self._store.find_named(digests) if place not in tried]:
            tried.update(found)
            for tenant, ids in _by_tenant(found).items():
                if tenant_id not in (None, tenant):
                    continue
                try:
                    ended += await sessions.end_sessions(ids, tenant_id=tenant, end=end)
                except EndedOnlyInPart as error:
                    ended += error.ended
                    failure = error
        if not ended and failure is None:
            # An earlier call may have ended them, and failed before everyone knew.
            await sessions.publish_ends()
        if failure is not None:
            raise EndedOnlyInPart(ended, failure)
        return ended


class LogoutTokenService:
    """Acts on the provider's logout tokens. `append` records refused ones. `clock` returns epoch seconds."""

    def __init__(
        self,
        verifier: Verifier,
        store: NameStore,
        sessions: NamedSessions,
        *,
        client_id: str,
        require_key: KeyCheck,
        append: Append = mark,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._append = append
        self._verifier = verifier
        self._store = store
        self._sessions = sessions
        self._client_id = client_id
        self._require_key = require_key
        self._clock = clock

    async def receive(self, logout_token: str) -> None:
        """Verify the token, and end the sessions that it names (Back-Channel Logout §2.6, §2.7).

        The sessions' refresh tokens are deleted with them. A token counts once, so that a copy can't sign the user out
        after the next sign-in; after a failure the provider may send it again.

        Raises `TokenError` for a token that is refused, the errors of `NamedSessions.end`, `RevocationUnknown`, and
        `ProviderUnreachable`, `Overloaded` when the keys to verify it can't be fetched.
        """
        try:
            token = await awaited(
                lambda: self._verifier.verify_logout_token(logout_token, client_id=self._client_id, fetch=False)
            )
            await self._require_key(token.issuer, token.kid)
            await self._end(token)
        except TokenError as error:
            details = {"check": type(error), **reasons_of(error)}
            log_security_event("LOGOUT_TOKEN_REFUSED", kind="logout_token", actor=None, details=details)
            refused = Event(
                "LOGOUT_TOKEN_REFUSED",
                DEPLOYMENT,
                outcome="denied",
                resource_type="logout_token",
                detail={"check": type(error).__name__},
            )
            await self._append(refused)
            raise

    async def _end(self, token: LogoutToken) -> None:
        name = ProviderName(token.issuer, token.subject, token.sid)
        token_hash = hashlib.sha256(f"{token.issuer}\0{token.token_id}".encode()).digest()
        digests = await self._sessions.digests(name)
        # Recorded before the look-up: a sign-in whose session the look-up misses finds the record.
        is_new = await self._store.begin(
            token_hash,
            named=[alternatives[0] for alternatives in digests],
            issued_at=token.issued_at,
            expires_at=max(token.expires_at, self._clock()) + _SIGN_IN_SECONDS,
        )
        if not is_new:
            raise InvalidClaim("jti was received before", claim="jti")
        ended = await self._sessions.end(name)
        event = Event(
            "BACKCHANNEL_LOGOUT",
            DEPLOYMENT,
            actor="provider",
            resource_type="logout_token",
            detail={"issuer": token.issuer, "sessions": len(ended)},
        )
        await self._store.finish(token_hash, at=self._clock(), event=event.stored(None))
        details = {"issuer": Word(token.issuer), "sessions": len(ended)}
        log_security_event("BACKCHANNEL_LOGOUT", kind="logout_token", actor="provider", details=details)


def _by_tenant(places: Sequence[tuple[str, UUID]]) -> dict[str, list[UUID]]:
    by_tenant: defaultdict[str, list[UUID]] = defaultdict(list)
    for tenant_id, session_id in places:
        by_tenant[tenant_id].append(session_id)
    return by_tenant
