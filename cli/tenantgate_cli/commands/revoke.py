"""`tenantgate revoke`: refuse tokens, sessions, users, clients, tenants and key ids of a deployment."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import Database
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import TokenError
from tenantgate.observability import security_events
from tenantgate.observability.logging import JsonFormatter
from tenantgate.revocation.service import RevocationService
from tenantgate.revocation.wiring import revocation_service_of
from tenantgate.sessions.models import BY_OPERATOR, User
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import remove_sessions_of_revoked, session_service_of
from tenantgate.tokens.jws import MAX_TOKEN_LENGTH, read_jws
from tenantgate_cli.console import Failure, printable, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.deployment import Deployment, deployment, explained

# Within this time, everyone refuses what was revoked.
_BOUND_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Services:
    """The services that revoke and that end sessions. `leeway`: seconds after the expiry of a token."""

    revocations: RevocationService
    sessions: SessionService
    database: Database
    leeway: int


@dataclass(frozen=True, slots=True)
class Place:
    """The deployment, and the form of the result."""

    data_dir: Path
    url: str | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result as a sentence, and the command's own members of the JSON."""

    kind: str
    words: str
    members: dict[str, object]


class _Token(NamedTuple):
    issuer: str
    token_id: str | None
    text: str
    expires_at: int | None


def revoke_token(text: str | None, issuer: str | None, token_id: str | None, place: Place) -> None:
    """Revoke one token: that on standard input (`-`), or by its issuer and `jti`. Raises Failure."""
    if text is not None and text != "-":
        raise Failure(
            "a token on the command line stays in the shell's history",
            "tenantgate revoke token - < token.txt   (or --issuer and --jti)",
        )
    named = (issuer is not None, token_id is not None)
    if named != ((False, False) if text is not None else (True, True)):
        raise Failure("name one token", "give - and the token on standard input, or both --issuer and --jti")
    if text is not None:
        token = _stated(sys.stdin.read(MAX_TOKEN_LENGTH + 2).strip())
    else:
        token = _Token(str(issuer), token_id, "", None)

    async def work(services: Services) -> Outcome:
        until = None if token.expires_at is None else token.expires_at + services.leeway
        if until is not None and until <= time.time():
            raise Failure("the token has expired: it is refused already")
        await services.revocations.revoke_token(
            token.issuer, token_id=token.token_id, text=token.text, expires_at=until
        )
        members: dict[str, object] = {
            "issuer": token.issuer,
            "jti": token.token_id,
            "expires_at": token.expires_at,
        }
        shown = "the token" if token.token_id is None else f"the token {token.token_id}"
        return Outcome("token", f"{shown} of {token.issuer} is revoked", members)

    _run(work, place)


def revoke_session(session_id: str, tenant_id: str, place: Place) -> None:
    """End a session, and revoke the tokens that its clients got. Raises Failure."""
    try:
        wanted = UUID(session_id)
    except ValueError:
        raise Failure(f"{printable(session_id)} isn't a session id", "ids are in GET /api/v1/auth/sessions") from None

    async def work(services: Services) -> Outcome:
        ended = len(await services.sessions.end_sessions([wanted], tenant_id=tenant_id, end=BY_OPERATOR))
        if not ended:
            # An entry in Valkey may be left.
            await services.revocations.revoke_session(tenant_id, str(wanted))
        note = "" if ended else " (it is not stored: it has ended before, or never existed)"
        words = f"the session {wanted} of {tenant_id} is revoked, with its access tokens{note}"
        return Outcome("session", words, {"session": str(wanted), "tenant": tenant_id, "sessions": ended})

    _run(work, place)


def revoke_user(user: User, place: Place) -> None:
    """Refuse what a user got up to now, and end the sessions. Raises Failure."""

    async def work(services: Services) -> Outcome:
        await services.revocations.revoke_user(*user)
        ended = await services.sessions.end_of_user(user, end=BY_OPERATOR)
        words = f"the user {user.user_id} of {user.tenant_id} is revoked, and {_counted(ended)} ended"
        members = {"user": user.user_id, "tenant": user.tenant_id, "issuer": user.issuer, "sessions": ended}
        return Outcome("user", words, members)

    _run(work, place)


def revoke_client(client_id: str, issuer: str, place: Place) -> None:
    """Refuse the tokens that a client got up to now. Raises Failure."""

    async def work(services: Services) -> Outcome:
        await services.revocations.revoke_client(issuer, client_id)
        return Outcome(
            "client", f"the client {client_id} of {issuer} is revoked", {"client": client_id, "issuer": issuer}
        )

    _run(work, place)


def revoke_tenant(tenant_id: str, place: Place) -> None:
    """Refuse what a tenant's users got up to now, and end the sessions. Raises Failure."""

    async def work(services: Services) -> Outcome:
        at = time.time()
        await services.revocations.revoke_tenant(tenant_id)
        ended = await remove_sessions_of_revoked(services.database, tenant_id, until=at)
        words = f"the tenant {tenant_id} is revoked, and {_counted(ended)} ended"
        return Outcome("tenant", words, {"tenant": tenant_id, "sessions": ended})

    _run(work, place)


def revoke_kid(kid: str, issuer: str, place: Place, *, lift: bool) -> None:
    """Refuse the tokens that a key signed, or accept them again. Raises Failure."""

    async def work(services: Services) -> Outcome:
        members: dict[str, object] = {"kid": kid, "issuer": issuer, "lifted": lift}
        if not lift:
            await services.revocations.revoke_kid(issuer, kid)
            return Outcome("kid", f"the key {kid} of {issuer} is revoked, until this is lifted", members)
        if not await services.revocations.lift_kid(issuer, kid):
            raise Failure(f"the key {printable(kid)} of {printable(issuer)} isn't revoked")
        return Outcome("kid", f"the key {kid} of {issuer} is accepted again", members)

    _run(work, place)


def _run(work: Callable[[Services], Awaitable[Outcome]], place: Place) -> None:
    """Do the work on the deployment, and print its outcome. Raises Failure."""
    where = deployment(place.data_dir, place.url)
    if not where.is_complete:
        # The list that this publishes has the registered tenants if only they may take part.
        raise Failure(
            "the settings of this deployment aren't known here",
            "set OIDC_ISSUER_URL, OIDC_CLIENT_ID, TENANT_REGISTRATION, JWT_LEEWAY_SECONDS and REDIS_URL as in the "
            "deployment",
        )

    async def run() -> Outcome:
        from tenantgate.cache.client import ValkeyCache  # noqa: PLC0415  (redis takes a while to import)

        database = PooledDatabase(where.database_url)
        cache = None if (cache_url := where.settings.cache_url) is None else ValkeyCache(cache_url)
        revocations = revocation_service_of(where.settings, database, cache)

        async def publish() -> None:
            await revocations.spread()

        sessions = session_service_of(where.settings, database, cache, publish=publish)
        try:
            return await work(Services(revocations, sessions, database, where.settings.token_policy.leeway_seconds))
        finally:
            await database.dispose()
            if cache is not None:
                await cache.dispose()

    with explained(where.database_url), _events_on_standard_error():
        try:
            outcome = asyncio.run(run())
        except CacheUnavailable:
            raise Failure(
                "it is recorded in PostgreSQL, but not yet known everywhere: Valkey doesn't have it. An authorizer "
                f"stops deciding after {_BOUND_SECONDS} s without a newer list",
                "run this command again: it publishes what is recorded",
            ) from None
    _print(outcome, where, as_json=place.as_json)


def _print(outcome: Outcome, where: Deployment, *, as_json: bool) -> None:
    at = int(time.time())
    by = None if where.settings.cache_url is None else at + _BOUND_SECONDS
    if as_json:
        print_result(kind=outcome.kind, revoked=outcome.members, at=at, everywhere_by=by)
        return
    say(printable(outcome.words))
    if by is None:
        say(
            f"since {_moment(at)}. REDIS_URL isn't set here: web functions know it now, and an authorizer without "
            "Valkey accepts tokens until they expire"
        )
    else:
        say(f"since {_moment(at)}, and everywhere by {_moment(by)} ({_BOUND_SECONDS} s, plus an authorizer's TTL)")


@contextmanager
def _events_on_standard_error() -> Iterator[None]:
    """Write security events as JSON lines on standard error: standard output has the result."""
    logger, handler = logging.getLogger(security_events.__name__), logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service="command-line"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def _stated(text: str) -> _Token:
    """Return what a token states. It isn't verified: its key may be gone."""
    try:
        claims = read_jws(text, {})[1]
    except TokenError:
        raise Failure("standard input has no token", "give one access token, such as eyJ….eyJ….…") from None
    issuer, token_id, expires_at = claims.get("iss"), claims.get("jti"), claims.get("exp")
    if not isinstance(issuer, str):
        raise Failure("the token names no issuer")
    named = token_id if isinstance(token_id, str) and token_id else None
    return _Token(issuer, named, text, expires_at if type(expires_at) is int else None)


def _counted(sessions: int) -> str:
    return "1 session has" if sessions == 1 else f"{sessions} sessions have"


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
