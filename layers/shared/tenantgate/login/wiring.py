"""Builds the login services from settings, once per process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache

from tenantgate.access.bearer import BearerCredential
from tenantgate.aws.secrets import SecretStore, secret_store
from tenantgate.login.client import ProviderClient, Timeouts
from tenantgate.login.logout import LogoutService, SessionEnder
from tenantgate.login.provider import ClientRegistration, ProviderMetadata
from tenantgate.login.redirects import RedirectPolicy
from tenantgate.login.service import LoginService
from tenantgate.sessions.wiring import session_service
from tenantgate.settings import Settings, get_settings
from tenantgate.tokens.discovery import provider_metadata
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.tokens.wiring import tenant_extractor, token_verifier


async def login_service() -> LoginService:
    """This process's `LoginService`."""
    return _login_service()


async def logout_service() -> LogoutService:
    """This process's `LogoutService`."""
    return _logout_service()


@cache
def _login_service() -> LoginService:
    settings = get_settings()
    return make_login_service(settings, secret_store(), token_verifier(settings.token_policy))


@cache
def _logout_service() -> LogoutService:
    settings = get_settings()
    return make_logout_service(settings, token_verifier(settings.token_policy), sessions=session_service)


def make_login_service(
    settings: Settings,
    secrets: SecretStore,
    verifier: TokenVerifier,
    *,
    timeouts: Timeouts | None = None,
    clock: Callable[[], float] = time.time,
) -> LoginService:
    """A `LoginService` of these settings."""
    policy = settings.token_policy
    registration = _registration(settings)
    return LoginService(
        registration=registration,
        redirects=_redirects(settings),
        own_callback=settings.oidc_redirect_uri,
        provider=_provider(settings.oidc_issuer_url),
        token_endpoint=ProviderClient(registration, secrets, timeouts=timeouts or Timeouts()),
        verifier=verifier,
        credential=BearerCredential(verifier, tenant_extractor(policy)),
        sealer=secrets.sealer,
        clock=clock,
    )


def make_logout_service(
    settings: Settings, verifier: TokenVerifier, *, sessions: Callable[[], Awaitable[SessionEnder]]
) -> LogoutService:
    """A `LogoutService` of these settings; `sessions` is asked for only when there is a session to end."""
    return LogoutService(
        registration=_registration(settings),
        redirects=_redirects(settings),
        provider=_provider(settings.oidc_issuer_url),
        verifier=verifier,
        sessions=sessions,
    )


def _provider(issuer: str) -> Callable[[], Awaitable[ProviderMetadata]]:
    async def provider() -> ProviderMetadata:
        return ProviderMetadata.from_document(await asyncio.to_thread(provider_metadata, issuer))

    return provider


def _registration(settings: Settings) -> ClientRegistration:
    return ClientRegistration(
        client_id=settings.oidc_client_id,
        scopes=settings.oidc_scopes,
        resource=settings.oidc_resource,
        authorize_params=settings.oidc_authorize_params,
    )


def _redirects(settings: Settings) -> RedirectPolicy:
    return RedirectPolicy(allowed_origins=settings.allowed_origins, public_base_url=settings.public_base_url)
