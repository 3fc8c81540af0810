"""The built-in OpenID provider: what its endpoints do. Development only, until it is made whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError

from tenantgate.openid_provider.endpoints.authorization import AuthorizationService
from tenantgate.openid_provider.endpoints.end_session import EndSessionService
from tenantgate.openid_provider.endpoints.userinfo import UserInfoService
from tenantgate.openid_provider.models import CODES, Client, ProtocolResponse
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.grants import ProtocolRequest, RedeemedCode
from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.keys import SigningKeys
from tenantgate.openid_provider.protocol.requests import MAX_PARAMETER_CHARACTERS, Submitted
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tenantgate.openid_provider.storage.stores import BrowserSessionStore, CodeStore
from tenantgate.openid_provider.storage.users import UserDirectory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider is made of. `audiences`: of its access tokens, which name the first."""

    issuer: str
    audiences: Sequence[str]
    client: Client
    users: UserDirectory
    codes: CodeStore
    browser_sessions: BrowserSessionStore
    keys: SigningKeys
    forms: FormTokens
    clock: Callable[[], float]


class ProviderService:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._browser_sessions = BrowserSessions(provider.browser_sessions, clock=provider.clock)

    async def jwks(self) -> dict[str, object]:
        """The public keys, as a JWK Set."""
        return (await self._provider.keys.ring()).public_jwks()

    async def authorization(self) -> AuthorizationService:
        """What answers authorization requests and sign-in forms."""
        parts = self._provider
        return AuthorizationService(
            server=await self._server(),
            client=parts.client,
            audiences=parts.audiences,
            users=parts.users,
            codes=parts.codes,
            browser_sessions=self._browser_sessions,
            forms=parts.forms,
            hints=await self._hints(),
            clock=parts.clock,
        )

    async def end_session(self) -> EndSessionService:
        """What answers sign-outs."""
        return EndSessionService(
            client=self._provider.client,
            browser_sessions=self._browser_sessions,
            forms=self._provider.forms,
            hints=await self._hints(),
        )

    async def userinfo(self, *, authorization: str | None, posted_token: str | None) -> ProtocolResponse:
        """Answer a userinfo request."""
        parts = self._provider
        ring = await parts.keys.ring()
        service = UserInfoService(
            issuer=parts.issuer, audience=parts.audiences[0], ring=ring, users=parts.users, clock=parts.clock
        )
        return service.answer(authorization=authorization, posted_token=posted_token)

    async def token(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """Answer a token request: tokens for a code, or an error of RFC 6749 §5.2."""
        server = await self._server()
        now = int(self._provider.clock())
        headers = {} if authorization is None else {"Authorization": authorization}
        request = ProtocolRequest("POST", server.endpoint("token"), submitted.values, headers, now=now)
        try:
            _check_token_request(submitted)
            # Before the code is touched: nobody but its client can use it up.
            client = server.authenticate_client(request)
        except OAuth2Error as error:
            return server.error_response(error)
        request.redeemed = await self._redeem(submitted, client, now)
        response: ProtocolResponse = server.create_token_response(request)
        return response

    async def _redeem(self, submitted: Submitted, client: Client, now: int) -> RedeemedCode | None:
        code = CODES.parse(submitted.values.get("code", ""))
        if code is None or submitted.values.get("grant_type") != "authorization_code":
            return None
        redeemed = await self._provider.codes.redeem(
            code.digest, tenant_id=code.tenant_id, client_id=client.client_id, now=now
        )
        user = self._provider.users.find(redeemed.user_id) if redeemed is not None else None
        if redeemed is None or user is None:
            _log.warning("an authorization code was refused", extra={"context": {"client_id": client.client_id}})
            return None
        return RedeemedCode(redeemed, user, now)

    async def _server(self) -> ProtocolServer:
        parts = self._provider
        return ProtocolServer(
            issuer=parts.issuer, audience=parts.audiences[0], client=parts.client, ring=await parts.keys.ring()
        )

    async def _hints(self) -> IdTokenHints:
        return IdTokenHints(await self._provider.keys.ring(), self._provider.issuer)


def _check_token_request(submitted: Submitted) -> None:
    if submitted.repeated or any(len(value) > MAX_PARAMETER_CHARACTERS for value in submitted.values.values()):
        raise InvalidRequestError("A parameter is too long or given more than once.")
    if not submitted.values.get("grant_type"):
        raise InvalidRequestError("grant_type is required.")
