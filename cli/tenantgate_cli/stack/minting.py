"""Mint access tokens with the database and the signing keys of a running stack. No endpoint mints tokens.

The code of the token endpoint signs them. Only for the built-in provider, and only in local development.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import override

from tenantgate.crypto.sealing import Sealer
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import LAMBDA_POOL, PooledDatabase
from tenantgate.openid_provider.models import DEFAULT_ALGORITHM, token_lifetime
from tenantgate.openid_provider.protocol.access_tokens import AccessGrant, AccessTokens
from tenantgate.openid_provider.protocol.keys import KeyRing, SigningKeys
from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.repository import KeyRepository
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.token_request import Limits, TokenRequest, Wanted, token_request

# A minted token stands for a sign-in with the user's password.
_METHODS = ("pwd",)
_AGAIN = "start the stack again: make dev"


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token and its content. `expires_at`: whole epoch seconds."""

    access_token: str = field(repr=False)
    request: TokenRequest
    expires_at: int


def mint(folder: DataFolder, wanted: Wanted) -> MintedToken:
    """Mint a token that the stack in `folder` accepts. Raises Failure with the words for the user."""
    settings = _local_settings(folder)
    policy = settings.token_policy
    longest = policy.max_lifetime_seconds
    limits = Limits(
        usual=token_lifetime(longest), longest=longest, leeway=policy.leeway_seconds, scopes=settings.oidc_scopes
    )
    request = token_request(wanted, PERSONAS, limits)
    ring = asyncio.run(_signing_keys(settings, folder.secrets()["COOKIE_SEALING_KEYS"]))
    expires_at = int(time.time()) + request.expires_in
    issued_at = expires_at - request.lifetime
    grant = AccessGrant(
        user_id=request.persona.id,
        tenant_id=request.tenant_id,
        client_id=settings.oidc_client_id,
        scope=" ".join(request.scopes),
        roles=request.roles,
        auth_time=issued_at,
        amr=_METHODS,
        issued_at=issued_at,
        expires_at=expires_at,
    )
    [audience, *_] = policy.issuers[0].audiences
    tokens = AccessTokens(settings.oidc_issuer_url, audience, ring)
    return MintedToken(tokens.issue(grant, DEFAULT_ALGORITHM), request, expires_at)


def _local_settings(folder: DataFolder) -> Settings:
    """Return the running stack's settings, if tokens may be minted for it."""
    if not folder.running().get("url"):
        raise Failure("no stack is running here", "make dev   (in another terminal)")
    try:
        settings = Settings.from_mapping(folder.running_settings() or {})
    except SettingsError as error:
        # Its settings are valid for its own version.
        raise Failure("the running stack was started by another version of Tenantgate", _AGAIN) from error
    if not settings.is_local_development:
        raise Failure(
            f"tokens are minted only for a development stack on this machine, not for {settings.public_base_url}",
            f"sign in with a browser: {settings.public_base_url}/api/v1/auth/login",
        )
    if settings.oidc_issuer_url != f"{settings.public_base_url}/idp":
        raise Failure(
            f"the stack's provider is {settings.oidc_issuer_url}, and only that provider can issue its tokens",
            f"tenantgate token --browser{folder.option()}   (signs in with your browser)",
        )
    return settings


async def _signing_keys(settings: Settings, sealing_keys: str) -> KeyRing:
    async def sealer() -> Sealer:
        return Sealer([key for key in sealing_keys.split(",") if key.strip()])

    database = PooledDatabase(settings.required_database_url, pool=LAMBDA_POOL)
    try:
        return await SigningKeys(_KeptKeys(database), sealer=sealer, clock=time.time).ring()
    except DatabaseUnreachable as error:
        raise Failure("the stack's database can't be reached", _AGAIN) from error
    finally:
        await database.dispose()


class _KeptKeys(KeyRepository):
    """The stack's keys, of which this command removes none: it could only invalidate tokens of the running stack."""

    @override
    async def remove(self, kid: str) -> None:
        raise Failure("the stack's signing keys were sealed with another key", _AGAIN)
