"""Logout tokens, and their way to the client (OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.5).

Limits: 1 s to connect, and 5 s for the whole request, since the user waits for it. Redirects are not followed, and the
response's body is not read. httpx2 is imported at the first delivery: only a sign-out makes one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import cache
from typing import TYPE_CHECKING, Protocol

from tenantgate import time_limits
from tenantgate.errors.base import Word
from tenantgate.openid_provider.models import BrowserSession, Client
from tenantgate.openid_provider.protocol.keys import KeyRing

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger(__name__)

LOGOUT_TOKEN_LIFETIME_SECONDS = 120
_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_CONNECT_SECONDS = time_limits.LOGOUT_TOKEN_CONNECT
_TOTAL_SECONDS = time_limits.LOGOUT_TOKEN_TOTAL


class LogoutDelivery(Protocol):
    """Sends a logout token to a client. Returns when the client has responded, and never raises."""

    async def __call__(self, uri: str, logout_token: str) -> None: ...


class LogoutTokens:
    """Issues logout tokens. Made for each request: `ring` holds the current keys."""

    def __init__(self, issuer: str, ring: KeyRing) -> None:
        self._issuer = issuer
        self._ring = ring

    def issue(self, session: BrowserSession, client: Client, *, now: int) -> str:
        """Return a token that says that this browser session has ended. It must have no nonce (§2.4)."""
        claims = {
            "iss": self._issuer,
            "sub": session.user_id,
            "aud": client.client_id,
            "iat": now,
            "exp": now + LOGOUT_TOKEN_LIFETIME_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "sid": session.sid,
            "events": {_EVENT: {}},
        }
        return self._ring.sign(claims, algorithm=client.id_token_signed_response_alg, typ="logout+jwt")


async def deliver_over_http(uri: str, logout_token: str) -> None:
    """Post the token, and log a failure: the user is signed out here in any case."""
    import httpx2  # noqa: PLC0415

    limits = httpx2.Timeout(_TOTAL_SECONDS, connect=_CONNECT_SECONDS)
    try:
        async with (
            asyncio.timeout(_TOTAL_SECONDS),
            httpx2.AsyncClient(verify=_tls(), timeout=limits, follow_redirects=False, trust_env=False) as http,
            http.stream("POST", uri, data={"logout_token": logout_token}) as response,
        ):
            if (status := response.status_code) not in (200, 204):
                _log.warning("the client refused a logout token", extra={"context": {"status": status}})
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        _log.warning("a logout token was not delivered", extra={"context": {"failure": Word(type(error).__name__)}})


@cache
def _tls() -> ssl.SSLContext:
    import ssl  # noqa: PLC0415

    return ssl.create_default_context()
