"""Revoke tokens, sessions, users, clients, tenants and keys: recorded in PostgreSQL, then published in Valkey.

A revocation takes effect everywhere within `BOUND_SECONDS` (5): the authorizer and the web functions judge by a list
that is no older, and stop deciding without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from tenantgate.audit.models import Event, StoredEvent
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.observability.security_events import Actor, log_security_event
from tenantgate.revocation.errors import NotYetEverywhere
from tenantgate.revocation.models import RevocationPolicy, TokenOwner
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import (
    RevocationKind,
    client_name,
    kid_name,
    session_name,
    subject_name,
    tenant_name,
    token_name,
    user_name,
)
from tenantgate.tokens.tenant import DEPLOYMENT


class Store(Protocol):
    """The part of `repository.RevocationRepository` that the service uses."""

    async def record(self, revocations: Iterable[Revocation], *, at: float, event: StoredEvent) -> None: ...

    async def lift(self, name: bytes, *, event: StoredEvent) -> bool: ...


class Publisher(Protocol):
    """Publishes the record; see `cache.Publisher`."""

    async def publish(self) -> int: ...


class RevocationService:
    """Every method raises `DatabaseUnreachable`: it may not be recorded; `NotYetEverywhere`: it is, but not everywhere.

    `publisher`: None without a cache, where only PostgreSQL distributes. `actor`: who revokes, for the security events.
    `clock` returns epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        publisher: Publisher | None,
        policy: RevocationPolicy,
        *,
        actor: Actor = "system",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._policy = policy
        self._actor: Actor = actor
        self._clock = clock

    async def revoke_token(
        self,
        issuer: str,
        *,
        token_id: str | None = None,
        text: str = "",
        expires_at: float | None = None,
        owner: TokenOwner | None = None,
    ) -> None:
        """Revoke one token, by its `jti` or, without one, by its text. `expires_at`: None if it is not known."""
        until = self._clock() + self._policy.longest_token if expires_at is None else expires_at
        tenant_id = None if owner is None else owner.tenant_id
        await self._revoke(_owned("token", token_name(issuer, token_id, text), until, owner), tenant_id=tenant_id)

    async def revoke_session(self, tenant_id: str, session_id: str, *, owner: TokenOwner | None = None) -> None:
        """Refuse a session's cookie. Its tokens are revoked where it ends (`sessions/`)."""
        until = self._clock() + self._policy.longest_session
        revocation = _owned("session", session_name(tenant_id, session_id), until, owner)
        await self._revoke(revocation, tenant_id=tenant_id, resource_id=session_id)

    async def revoke_user(self, tenant_id: str | None, issuer: str, user_id: str) -> None:
        """Refuse what the user got up to now, in one tenant or, without one, in all. A new sign-in passes."""
        name = subject_name(issuer, user_id) if tenant_id is None else user_name(tenant_id, issuer, user_id)
        await self._revoke(self._until_now("user", name), tenant_id=tenant_id)

    async def revoke_client(self, issuer: str, client_id: str) -> None:
        """Refuse the tokens that the client got up to now."""
        await self._revoke(self._until_now("client", client_name(issuer, client_id)), resource_id=client_id)

    async def revoke_tenant(self, tenant_id: str) -> None:
        """Refuse what the tenant's users got up to now. A suspension refuses them until it is lifted."""
        await self._revoke(
            self._until_now("tenant", tenant_name(tenant_id)), tenant_id=tenant_id, resource_id=tenant_id
        )

    async def revoke_kid(self, issuer: str, kid: str) -> None:
        """Refuse the tokens that a key signed, until this is lifted."""
        await self._revoke(Revocation("kid", kid_name(issuer, kid), None), resource_id=kid)

    async def lift_kid(self, issuer: str, kid: str) -> bool:
        """Accept a key again; return False if it was not revoked."""
        event = Event("REVOCATION_LIFTED", DEPLOYMENT, actor=self._actor, resource_type="kid", resource_id=kid)
        if not await self._store.lift(kid_name(issuer, kid), event=event.stored(None)):
            return False
        log_security_event("REVOCATION_LIFTED", kind="kid", actor=self._actor)
        await self.spread()
        return True

    async def spread(self) -> None:
        """Publish what was recorded before, also by other units of work. Raises `NotYetEverywhere`."""
        if self._publisher is None:
            return
        try:
            await self._publisher.publish()
        except (CacheUnavailable, DatabaseUnreachable) as error:
            # A publication reads PostgreSQL, which may be lost since the revocation was recorded.
            raise NotYetEverywhere(error) from error

    async def _revoke(
        self, revocation: Revocation, *, tenant_id: str | None = None, resource_id: str | None = None
    ) -> None:
        event = Event(
            "REVOKED",
            DEPLOYMENT if tenant_id is None else tenant_id,
            actor=self._actor,
            resource_type=revocation.kind,
            resource_id=resource_id,
        )
        await self._store.record([revocation], at=self._clock(), event=event.stored(None))
        log_security_event("REVOKED", kind=revocation.kind, actor=self._actor, tenant_id=tenant_id)
        await self.spread()

    def _until_now(self, kind: RevocationKind, name: bytes) -> Revocation:
        return Revocation(kind, name, self._clock() + self._policy.longest)


def _owned(kind: RevocationKind, name: bytes, until: float, owner: TokenOwner | None) -> Revocation:
    if owner is None:
        return Revocation(kind, name, until)
    user = user_name(owner.tenant_id, owner.issuer, owner.user_id)
    return Revocation(kind, name, until, user, tenant_name(owner.tenant_id))
