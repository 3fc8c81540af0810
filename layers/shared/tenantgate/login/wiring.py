"""Builds the login services from settings, once per process."""

from __future__ import annotations

import asyncio
from functools import cache

from tenantgate.access.bearer import BearerCredential
from tenantgate.aws.secrets import secret_store
from tenantgate.login.client import ProviderClient
from tenantgate.login.logout import LogoutService, SessionEnder
from tenantgate.login.provider import ClientRegistration, ProviderMetadata
from tenantgate.login.redirects import RedirectPolicy
from tenantgate.login.service import LoginService
from tenantgate.settings import get_settings
from tenantgate.tokens.discovery import provider_metadata
from tenantgate.tokens.tenant import TenantExtractor
from tenantgate.tokens.wiring import token_verifier


async def login_service() -> LoginService:
    """This process's `LoginService`."""
    return _login_service()


async def logout_service() -> LogoutService:
    """This process's `LogoutService`."""
    return _logout_service()


@cache
def _login_service() -> LoginService:
    settings = get_settings()
    policy = settings.token_policy
    verifier = token_verifier(policy)
    registration = _registration()
    return LoginService(
        registration=registration,
        redirects=_redirects(),
        own_callback=settings.oidc_redirect_uri,
        provider=_provider,
        token_endpoint=ProviderClient(registration, secret_store()),
        verifier=verifier,
        credential=BearerCredential(verifier, TenantExtractor(policy.tenant_claim_names, policy.tenant_id_pattern)),
        sealer=secret_store().sealer,
    )


@cache
def _logout_service() -> LogoutService:
    return LogoutService(
        registration=_registration(),
        redirects=_redirects(),
        provider=_provider,
        verifier=token_verifier(get_settings().token_policy),
        sessions=_sessions,
    )


async def _provider() -> ProviderMetadata:
    document = await asyncio.to_thread(provider_metadata, get_settings().oidc_issuer_url)
    return ProviderMetadata.from_document(document)


async def _sessions() -> SessionEnder:
    from tenantgate.sessions.wiring import session_service  # noqa: PLC0415  (brings SQLAlchemy)

    return await session_service()


def _registration() -> ClientRegistration:
    settings = get_settings()
    return ClientRegistration(
        client_id=settings.oidc_client_id,
        scopes=settings.oidc_scopes,
        resource=settings.oidc_resource,
        authorize_params=settings.oidc_authorize_params,
    )


def _redirects() -> RedirectPolicy:
    settings = get_settings()
    return RedirectPolicy(allowed_origins=settings.allowed_origins, public_base_url=settings.public_base_url)
