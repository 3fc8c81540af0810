"""The built-in OpenID provider: builds the service of each endpoint with the current keys. Only for development."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenantgate.openid_provider.endpoints.authorization import AuthorizationService
from tenantgate.openid_provider.endpoints.end_session import EndSessionService
from tenantgate.openid_provider.endpoints.token import TokenService
from tenantgate.openid_provider.endpoints.userinfo import UserInfoService
from tenantgate.openid_provider.models import Client, ProtocolResponse
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.keys import SigningKeys
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tenantgate.openid_provider.storage.stores import BrowserSessionStore, CodeStore
from tenantgate.openid_provider.storage.users import UserDirectory


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider's parts. Access tokens are issued for the first of `audiences`; `resource` may name any of them."""

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
    """The provider's endpoints. Every method may raise `DatabaseUnreachable` or `SecretsUnavailable`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._browser_sessions = BrowserSessions(provider.browser_sessions, clock=provider.clock)

    async def jwks(self) -> dict[str, object]:
        """Return the public keys as a JWK Set."""
        return (await self._provider.keys.ring()).public_jwks()

    async def authorization(self) -> AuthorizationService:
        """Build the service of the authorization endpoint and the sign-in form."""
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
        """Build the service of the end session endpoint and the sign-out form."""
        return EndSessionService(
            client=self._provider.client,
            browser_sessions=self._browser_sessions,
            forms=self._provider.forms,
            hints=await self._hints(),
        )

    async def userinfo(self, *, authorization: str | None, posted_token: str | None) -> ProtocolResponse:
        """Return the claims for an access token, or an error of RFC 6750 §3.1."""
        parts = self._provider
        ring = await parts.keys.ring()
        service = UserInfoService(
            issuer=parts.issuer, audience=parts.audiences[0], ring=ring, users=parts.users, clock=parts.clock
        )
        return service.claims(authorization=authorization, posted_token=posted_token)

    async def token(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """Return tokens for a code, or an error of RFC 6749 §5.2. `authorization`: the header's value."""
        parts = self._provider
        service = TokenService(server=await self._server(), users=parts.users, codes=parts.codes, clock=parts.clock)
        return await service.redeem(submitted, authorization=authorization)

    async def _server(self) -> ProtocolServer:
        parts = self._provider
        return ProtocolServer(
            issuer=parts.issuer, audience=parts.audiences[0], client=parts.client, ring=await parts.keys.ring()
        )

    async def _hints(self) -> IdTokenHints:
        return IdTokenHints(await self._provider.keys.ring(), self._provider.issuer)
