"""The provider of this process."""

from __future__ import annotations

import asyncio
import time
from weakref import WeakKeyDictionary

from tenantgate.database.wiring import database
from tenantgate.openid_provider.endpoints.metadata import provider_metadata
from tenantgate.openid_provider.models import Client, token_lifetime
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.keys import SigningKeys
from tenantgate.openid_provider.protocol.logout_tokens import deliver_over_http
from tenantgate.openid_provider.protocol.redirects import RedirectRule
from tenantgate.openid_provider.service import Provider, ProviderService
from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.repository import (
    BrowserSessionRepository,
    CodeRepository,
    ExpiredRepository,
    KeyRepository,
    RefreshTokenRepository,
)
from tenantgate.openid_provider.storage.users import DemoUsers
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings

# The keys in memory come from a database, and each event loop has its own.
_signing_keys: WeakKeyDictionary[asyncio.AbstractEventLoop, SigningKeys] = WeakKeyDictionary()


def issuer() -> str:
    """Return the provider's issuer identifier."""
    return f"{get_settings().public_base_url}/idp"


def metadata() -> dict[str, object]:
    """Return the provider's discovery document. Raises `RuntimeError` outside development."""
    return provider_metadata(issuer(), _users().scopes())


async def provider_service() -> ProviderService:
    """Build the provider with the client's current secret and sealing keys.

    Raises `RuntimeError` outside development, and `SecretsUnavailable`.
    """
    settings = get_settings()
    users = _users()
    secrets = secret_store()
    origins = settings.allowed_origins
    client = Client(
        client_id=settings.oidc_client_id,
        client_secret=await secrets.get("OIDC_CLIENT_SECRET"),
        allows_redirect=RedirectRule(exact=[settings.oidc_redirect_uri], origins=origins),
        allows_post_logout_redirect=RedirectRule(exact=[], origins=[*origins, settings.public_base_url]),
        backchannel_logout_uri=f"{settings.public_base_url}/api/v1/auth/backchannel-logout",
        token_lifetime_seconds=token_lifetime(settings.token_policy.max_lifetime_seconds),
        api_scopes=tuple(users.scopes()),
    )
    return ProviderService(
        Provider(
            issuer=issuer(),
            audiences=settings.token_policy.issuers[0].audiences,
            client=client,
            users=users,
            codes=CodeRepository(database()),
            refresh_tokens=RefreshTokenRepository(database()),
            browser_sessions=BrowserSessionRepository(database()),
            keys=_keys(),
            deliver=deliver_over_http,
            forms=FormTokens(await secrets.sealer(), clock=time.time),
            clock=time.time,
        )
    )


async def remove_expired() -> None:
    """Remove the codes, refresh tokens and sign-ins that have expired. Raises `DatabaseUnreachable`."""
    expired = ExpiredRepository(database())
    # Also those of personas, if the stack was a local one before.
    for tenant_id in dict.fromkeys(persona.tenant_id for persona in PERSONAS):
        await expired.remove(tenant_id, now=time.time())


def _users() -> DemoUsers:
    settings = get_settings()
    return DemoUsers(is_development=settings.is_development, is_local=settings.is_local_development)


def _keys() -> SigningKeys:
    loop = asyncio.get_running_loop()
    known = _signing_keys.get(loop)
    if known is None:
        known = SigningKeys(KeyRepository(database()), sealer=secret_store().sealer, clock=time.time)
        _signing_keys[loop] = known
    return known
