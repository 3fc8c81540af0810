"""Credentials of each kind that can be revoked, and their revocation through the product."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.identity.principal import Principal
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.revocation.errors import NotYetEverywhere
from tenantgate.sessions.models import SessionTokens, SignIn
from tests.fixtures.tokens.issuer import TENANT, good_claims, sign
from tests.functional.revocation.bound.stack import KIDS, ORIGIN, BoundStack

type Kind = Literal[
    "token",
    "session, its cookie",
    "session, its token",
    "user, a cookie",
    "user, a token",
    "client",
    "tenant, a cookie",
    "tenant, a token",
    "kid",
]

KINDS: tuple[Kind, ...] = get_args(Kind.__value__)
_ATTEMPTS = 5
# A round of kinds: people sign out more often than operators revoke.
_ROUND: tuple[Kind, ...] = (
    *("token", "session, its cookie", "user, a token", "token", "client", "session, its token"),
    *("token", "tenant, a token", "session, its cookie", "kid", "token", "user, a cookie", "tenant, a cookie"),
)


@dataclass(frozen=True)
class Credential:
    """A credential that is let in until `revoke` was called.

    `revoke` returns True if the product acknowledged the revocation, and False for 503 "recorded, not yet everywhere".
    It raises `NotRecorded` if PostgreSQL did not respond in time.
    """

    kind: Kind
    headers: dict[str, str]
    revoke: Callable[[], Awaitable[bool]]

    @property
    def by_cookie(self) -> bool:
        return "cookie" in self.headers


class NotRecorded(Exception):
    """The response says that the revocation may not be recorded: a client sends it again."""


class _Holder(NamedTuple):
    tenant_id: str = TENANT
    user_id: str = ""
    client_id: str = "a-client"
    kid: str = KIDS[0]


class Credentials:
    """Makes credentials, and lifts the revocations of key ids, of which there are only so many."""

    def __init__(self, stack: BoundStack) -> None:
        self._stack = stack
        self._kinds = itertools.cycle(_ROUND)
        self._free = list(KIDS[1:])
        self._used: list[str] = []

    async def make(self, count: int) -> list[Credential]:
        """Make credentials of the next kinds. Valkey must be there."""
        await self._lift()
        kinds = [next(self._kinds) for _ in range(count)]
        made: list[Credential] = []
        for batch in itertools.batched(kinds, 8, strict=False):
            made += await asyncio.gather(*(_until_recorded(partial(self._one, kind)) for kind in batch))
        return made

    def control(self) -> dict[str, str]:
        """Return the headers of a caller that is never revoked."""
        return self._bearer(_Holder(user_id="control"))

    async def _lift(self) -> None:
        used, self._used = self._used, []
        await asyncio.gather(*(self._lift_one(kid) for kid in used))
        self._free += used

    async def _lift_one(self, kid: str) -> None:
        # Valkey may have come back a moment ago: the republisher then publishes it.
        with suppress(NotYetEverywhere):
            await _until_recorded(lambda: self._stack.revocations.lift_kid(self._stack.issuer, kid))

    async def _one(self, kind: Kind) -> Credential:
        stack, issuer, new = self._stack, self._stack.issuer, uuid.uuid4().hex
        revocations = stack.revocations
        user = _Holder(user_id=f"user-{new}")
        tenant = user._replace(tenant_id=f"org-{uuid.uuid4()}")
        match kind:
            case "token":
                headers = self._bearer(user)
                return Credential(kind, headers, lambda: self._sign_out(headers))
            case "session, its cookie" | "session, its token":
                token, cookie = await self._session(user)
                headers = cookie if kind == "session, its cookie" else token
                return Credential(kind, headers, lambda: self._sign_out(cookie | {"origin": ORIGIN}))
            case "user, a cookie" | "user, a token":
                headers = (await self._session(user))[1] if kind == "user, a cookie" else self._bearer(user)
                return _by(kind, headers, lambda: revocations.revoke_user(TENANT, issuer, user.user_id))
            case "client":
                client = user._replace(client_id=f"client-{new}")
                return _by(kind, self._bearer(client), lambda: revocations.revoke_client(issuer, client.client_id))
            case "tenant, a cookie" | "tenant, a token":
                headers = (await self._session(tenant))[1] if kind == "tenant, a cookie" else self._bearer(tenant)
                return _by(kind, headers, lambda: revocations.revoke_tenant(tenant.tenant_id))
            case "kid":
                kid = self._free.pop()
                self._used.append(kid)
                return _by(kind, self._bearer(user._replace(kid=kid)), lambda: revocations.revoke_kid(issuer, kid))

    def _token(self, holder: _Holder) -> tuple[str, dict[str, object]]:
        claims = good_claims(
            int(time.time()),
            iss=self._stack.issuer,
            sub=holder.user_id,
            jti=uuid.uuid4().hex,
            client_id=holder.client_id,
            tenant_id=holder.tenant_id,
            exp=int(time.time()) + 1800,
        )
        return sign(claims, "ES256", kid=holder.kid), claims

    def _bearer(self, holder: _Holder) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token(holder)[0]}"}

    async def _session(self, holder: _Holder) -> tuple[dict[str, str], dict[str, str]]:
        """Start a session as a sign-in does; return the headers of its access token and of its cookie."""
        token, claims = self._token(holder)
        principal = Principal(
            holder.user_id,
            holder.tenant_id,
            self._stack.issuer,
            frozenset({"orders:read"}),
            int(time.time()) + 1800,
            claims=claims,
        )
        started = await self._stack.sessions.start(
            principal=principal, tokens=SessionTokens(token, token), sign_in=SignIn(principal.issuer, holder.user_id)
        )
        return {"authorization": f"Bearer {token}"}, {"cookie": f"{SESSION_COOKIE}={started.secret}"}

    async def _sign_out(self, headers: dict[str, str]) -> bool:
        response = await self._stack.container.post("/api/v1/auth/logout", headers=headers)
        if response.status_code == 200:
            return True
        assert response.status_code == 503, response.text
        if response.json()["error"]["code"] != "SYS_005":
            raise NotRecorded(response.text)
        return False


async def _until_recorded[T](work: Callable[[], Awaitable[T]]) -> T:
    """Do the work again if PostgreSQL does not respond in time, as it may on a busy machine."""
    for _ in range(_ATTEMPTS):
        with suppress(DatabaseUnreachable):
            return await work()
    return await work()


def _by(kind: Kind, headers: dict[str, str], revoke: Callable[[], Awaitable[None]]) -> Credential:
    async def revoked() -> bool:
        try:
            await revoke()
        except NotYetEverywhere:
            return False
        except DatabaseUnreachable as error:
            raise NotRecorded(error.reason) from error
        return True

    return Credential(kind, headers, revoked)
