"""The built-in OpenID provider: one method per endpoint, each with the current keys. Only for development."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenantgate.openid_provider.endpoints.authorization import AuthorizationService, SignedIn, SignInNeeded
from tenantgate.openid_provider.endpoints.end_session import EndSessionService, SignedOut, SignOutNeedsConsent
from tenantgate.openid_provider.endpoints.revocation import RevocationService
from tenantgate.openid_provider.endpoints.token import TokenService
from tenantgate.openid_provider.endpoints.userinfo import UserInfoService
from tenantgate.openid_provider.models import Client, ProtocolResponse
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.keys import SigningKeys
from tenantgate.openid_provider.protocol.logout_tokens import LogoutDelivery, LogoutTokens
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tenantgate.openid_provider.storage.refresh_tokens import RefreshTokens
from tenantgate.openid_provider.storage.stores import BrowserSessionStore, CodeStore, RefreshTokenStore
from tenantgate.openid_provider.storage.users import UserDirectory


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider's parts. Access tokens are issued for the first of `audiences`; `resource` may name any of them."""

    issuer: str
    audiences: Sequence[str]
    client: Client
    users: UserDirectory
    codes: CodeStore
    refresh_tokens: RefreshTokenStore
    browser_sessions: BrowserSessionStore
    keys: SigningKeys
    forms: FormTokens
    deliver: LogoutDelivery
    clock: Callable[[], float]


class ProviderService:
    """The provider's endpoints. Every method may raise `DatabaseUnreachable` or `SecretsUnavailable`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._browser_sessions = BrowserSessions(provider.browser_sessions, clock=provider.clock)
        self._refresh_tokens = RefreshTokens(provider.refresh_tokens, clock=provider.clock)

    async def jwks(self) -> dict[str, object]:
        """Return the public keys as a JWK Set."""
        return (await self._provider.keys.ring()).public_jwks()

    async def authorize(self, submitted: Submitted, *, cookie: str | None) -> ProtocolResponse | SignInNeeded:
        """Respond to an authorization request, see `AuthorizationService.authorize`."""
        return await (await self._authorization()).authorize(submitted, cookie=cookie)

    async def sign_in(
        self, *, form_token: str, username: str, password: str, cookie: str | None
    ) -> SignedIn | SignInNeeded:
        """Respond to the sign-in form, see `AuthorizationService.sign_in`."""
        service = await self._authorization()
        return await service.sign_in(form_token=form_token, username=username, password=password, cookie=cookie)

    async def sign_in_as(self, *, form_token: str, persona_id: str, cookie: str | None) -> SignedIn:
        """Respond to a persona's button, see `AuthorizationService.sign_in_as`."""
        service = await self._authorization()
        return await service.sign_in_as(form_token=form_token, persona_id=persona_id, cookie=cookie)

    async def end_session(self, submitted: Submitted, *, cookie: str | None) -> SignedOut | SignOutNeedsConsent:
        """Respond to a sign-out, see `EndSessionService.end`."""
        return await (await self._end_session()).end(submitted, cookie=cookie)

    async def confirm_sign_out(self, form_token: str, *, cookie: str | None) -> SignedOut:
        """Respond to the sign-out form, see `EndSessionService.confirm`."""
        return await (await self._end_session()).confirm(form_token, cookie=cookie)

    async def userinfo(self, *, authorization: str | None, posted_token: str | None) -> ProtocolResponse:
        """Return the claims for an access token, or an error of RFC 6750 §3.1."""
        parts = self._provider
        ring = await parts.keys.ring()
        service = UserInfoService(
            issuer=parts.issuer, audience=parts.audiences[0], ring=ring, users=parts.users, clock=parts.clock
        )
        return service.claims(authorization=authorization, posted_token=posted_token)

    async def token(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """Return tokens for a code or a refresh token, see `TokenService.redeem`."""
        parts = self._provider
        service = TokenService(
            server=await self._server(),
            users=parts.users,
            codes=parts.codes,
            refresh_tokens=self._refresh_tokens,
            clock=parts.clock,
        )
        return await service.redeem(submitted, authorization=authorization)

    async def revoke(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """Revoke a refresh token, see `RevocationService.revoke`."""
        parts = self._provider
        service = RevocationService(
            server=await self._server(),
            ring=await parts.keys.ring(),
            refresh_tokens=self._refresh_tokens,
            clock=parts.clock,
        )
        return await service.revoke(submitted, authorization=authorization)

    async def _authorization(self) -> AuthorizationService:
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

    async def _end_session(self) -> EndSessionService:
        parts = self._provider
        return EndSessionService(
            client=parts.client,
            browser_sessions=self._browser_sessions,
            refresh_tokens=self._refresh_tokens,
            forms=parts.forms,
            hints=await self._hints(),
            logout_tokens=LogoutTokens(parts.issuer, await parts.keys.ring()),
            deliver=parts.deliver,
            clock=parts.clock,
        )

    async def _server(self) -> ProtocolServer:
        parts = self._provider
        return ProtocolServer(
            issuer=parts.issuer, audience=parts.audiences[0], client=parts.client, ring=await parts.keys.ring()
        )

    async def _hints(self) -> IdTokenHints:
        return IdTokenHints(await self._provider.keys.ring(), self._provider.issuer)
