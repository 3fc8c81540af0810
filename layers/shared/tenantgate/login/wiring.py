"""Build the login services from the settings, once per process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import NamedTuple

from tenantgate.audit.line import mark
from tenantgate.audit.service import Append
from tenantgate.audit.wiring import append
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import TokenError
from tenantgate.identity.bearer import BearerCredential
from tenantgate.login.attempts.redirects import RedirectPolicy
from tenantgate.login.models import VerifiedSignIn
from tenantgate.login.provider.calls import Timeouts
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration
from tenantgate.login.provider.source import provider_source, sign_in_provider
from tenantgate.login.service.access_tokens import AccessTokens, KeyCheck
from tenantgate.login.service.callback import CallbackService
from tenantgate.login.service.login import LoginService
from tenantgate.login.service.logout import BearerRevoker, LogoutService, SessionEnder
from tenantgate.provider_copies.store import ProviderCopies
from tenantgate.provider_copies.wiring import provider_copies, sharing_verifier
from tenantgate.revocation.credential import require_key
from tenantgate.secrets.store import SecretStore
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.backchannel.service import NamedSessions, ProviderName
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import REPLACED, SIGN_OUT, SessionTokens, SignIn
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import named_sessions, session_service
from tenantgate.settings.allowed_origins import origin_remedy
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings
from tenantgate.tokens.verifier import TokenVerifier, VerifiedToken
from tenantgate.tokens.wiring import tenant_extractor

# The year 9999: PostgreSQL and Python hold no later time in common.
_LATEST_TIME = 253_402_300_800


async def login_service() -> LoginService:
    """Return this process's `LoginService`."""
    return _login_service()


async def callback_service() -> CallbackService:
    """Build a `CallbackService` for one request, with the current sealing keys. Raises `SecretsUnavailable`."""
    return make_callback_service(_login_service(), await session_service(), append=append)


async def logout_service() -> LogoutService:
    """Return this process's `LogoutService`."""
    return _logout_service()


@cache
def _login_service() -> LoginService:
    settings = get_settings()
    verifier = sharing_verifier(settings.token_policy)
    return make_login_service(settings, secret_store(), verifier, copies=provider_copies())


@cache
def _logout_service() -> LogoutService:
    settings = get_settings()
    verifier = sharing_verifier(settings.token_policy)
    revoke_bearer = None if settings.database_url is None else _revoke_bearer
    return make_logout_service(
        settings,
        secret_store(),
        verifier,
        sessions=_session_ender,
        revoke_bearer=revoke_bearer,
        copies=provider_copies(),
    )


def make_login_service(
    settings: Settings,
    secrets: SecretStore,
    verifier: TokenVerifier,
    *,
    require_key: KeyCheck = require_key,
    timeouts: Timeouts | None = None,
    clock: Callable[[], float] = time.time,
    copies: ProviderCopies | None = None,
) -> LoginService:
    """Build a `LoginService` from settings.

    `require_key`: by default, the current revocations count. `copies`: of the provider's metadata that other processes
    fetched.
    """
    registration = client_registration(settings)
    return LoginService(
        registration=registration,
        redirects=_redirects(settings),
        own_callback=settings.oidc_redirect_uri,
        provider=sign_in_provider(settings, copies),
        token_endpoint=ProviderClient(registration, secrets, timeouts=timeouts or Timeouts()),
        verifier=verifier,
        access_tokens=access_tokens(settings, verifier, require_key),
        require_key=require_key,
        sealer=secrets.sealer,
        clock=clock,
    )


def make_callback_service(login: LoginService, sessions: SessionService, *, append: Append = mark) -> CallbackService:
    """Build a `CallbackService` from services. `append` records failed sign-ins."""
    return CallbackService(login, _Sessions(sessions), append=append)


def make_logout_service(
    settings: Settings,
    secrets: SecretStore,
    verifier: TokenVerifier,
    *,
    sessions: Callable[[], Awaitable[SessionEnder]],
    require_key: KeyCheck = require_key,
    revoke_bearer: BearerRevoker | None = None,
    copies: ProviderCopies | None = None,
) -> LogoutService:
    """Build a `LogoutService` from settings. `sessions` is called only when there is a session to end.

    `require_key`: by default, the current revocations count.
    """
    registration = client_registration(settings)
    return LogoutService(
        registration=registration,
        redirects=_redirects(settings),
        provider=provider_source(settings, copies),
        revoker=ProviderClient(registration, secrets),
        verifier=verifier,
        sessions=sessions,
        require_key=require_key,
        revoke_bearer=revoke_bearer,
    )


class _Sessions:
    """Adapts `SessionService` to `callback.Sessions`."""

    def __init__(self, service: SessionService) -> None:
        self._service = service

    async def start(self, verified: VerifiedSignIn, *, device: str | None, address: str | None) -> _NewSession:
        tokens = verified.tokens
        started = await self._service.start(
            principal=verified.principal,
            tokens=SessionTokens(tokens.access_token, tokens.id_token, tokens.refresh_token),
            sign_in=_sign_in(verified, device=device, address=address),
        )
        return _NewSession(started.secret, started.session.expires_at, started.session.csrf_token)

    async def end(self, secret: str) -> None:
        # A copy in Valkey expires. The sign-in must not fail because of it.
        with suppress(CacheUnavailable):
            await self._service.end(secret, end=REPLACED)


class SessionEndings:
    """Adapts the services of sessions to `logout.SessionEnder`."""

    def __init__(self, service: SessionService, named: NamedSessions) -> None:
        self._service = service
        self._named = named

    async def end(self, secret: str) -> Ended:
        try:
            session = await self._service.end(secret)
        except EndedOnlyInPart as error:
            return await self._unfinished(error)
        return Ended(() if session is None else await self._service.tokens_of([session]))

    async def end_named(self, *, issuer: str, subject: str, sid: str) -> Ended:
        try:
            ended = await self._named.end(ProviderName(issuer, subject, sid), end=SIGN_OUT)
            return Ended(await self._service.tokens_of(ended))
        except EndedOnlyInPart as error:
            return await self._unfinished(error)

    async def _unfinished(self, error: EndedOnlyInPart) -> Ended:
        return Ended(await self._service.tokens_of(error.ended), error)


class Ended(NamedTuple):
    """The tokens of ended sessions, and the failure to end them everywhere."""

    tokens: Sequence[SessionTokens]
    unfinished: CacheUnavailable | None = None


async def _session_ender() -> SessionEndings:
    return SessionEndings(await session_service(), await named_sessions())


async def _revoke_bearer(bearer: VerifiedToken, token: str) -> None:
    # Imported here: only sign-outs by token need them.
    from tenantgate.revocation.models import TokenOwner  # noqa: PLC0415
    from tenantgate.revocation.wiring import revocation_service  # noqa: PLC0415

    policy = get_settings().token_policy
    expires_at = bearer.expires_at + policy.leeway_seconds
    if expires_at <= time.time():
        return
    owner = None
    # A token without a good tenant opens nothing. Its revocation is in the deployment's own log.
    with suppress(TokenError):
        owner = TokenOwner(tenant_extractor(policy).tenant_of(bearer.claims), bearer.issuer, bearer.subject)
    service = await revocation_service(actor="user")
    await service.revoke_token(bearer.issuer, token_id=bearer.token_id, text=token, expires_at=expires_at, owner=owner)


class _NewSession(NamedTuple):
    secret: str
    expires_at: int
    csrf_token: str


def _sign_in(verified: VerifiedSignIn, *, device: str | None, address: str | None) -> SignIn:
    """Return how the user signed in: by the claims of the ID token, with those of the access token as defaults."""
    claims = {**verified.principal.claims, **verified.id_token.claims}
    sid, auth_time = claims.get("sid"), claims.get("auth_time")
    acr, amr = authentication(claims)
    return SignIn(
        issuer=verified.id_token.issuer,
        subject=verified.id_token.subject,
        issued_at=verified.id_token.issued_at,
        sid=sid if isinstance(sid, str) and sid else None,
        acr=acr,
        amr=amr,
        auth_time=auth_time if type(auth_time) is int and 0 <= auth_time < _LATEST_TIME else None,
        device=device,
        address=address,
    )


def authentication(claims: Mapping[str, object]) -> tuple[str | None, tuple[str, ...]]:
    """Return `acr` and `amr` (OpenID Connect Core §2)."""
    acr, amr = claims.get("acr"), claims.get("amr")
    methods = tuple(method for method in amr if isinstance(method, str)) if isinstance(amr, list) else ()
    return acr if isinstance(acr, str) else None, methods


def access_tokens(settings: Settings, verifier: TokenVerifier, require_key: KeyCheck) -> AccessTokens:
    """Return the verification of the provider's access tokens."""
    policy = settings.token_policy
    credential = BearerCredential(verifier, policy)
    return AccessTokens(credential, issuer=policy.access_token_issuer, require_key=require_key)


def client_registration(settings: Settings) -> ClientRegistration:
    """Return our registration at the provider."""
    issuer = settings.token_policy.issuers[0]
    return ClientRegistration(
        client_id=settings.oidc_client_id,
        scopes=settings.oidc_scopes,
        resource=settings.oidc_resource,
        authorize_params=settings.oidc_authorize_params,
        logout_url=issuer.logout_url,
        logout_redirect_param=issuer.logout_redirect_param,
    )


def _redirects(settings: Settings) -> RedirectPolicy:
    allowed, base_url = settings.allowed_origins, settings.public_base_url
    remedy = partial(origin_remedy, allowed=allowed, base_url=base_url) if settings.is_development else None
    return RedirectPolicy(allowed_origins=allowed, public_base_url=base_url, remedy=remedy)
