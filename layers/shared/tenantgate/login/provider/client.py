"""Calls to the provider's token, revocation and userinfo endpoints, as the registered client."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, Protocol
from urllib.parse import quote_plus

from tenantgate import time_limits
from tenantgate.errors.tokens import IdTokenRefused, ProviderUnreachable
from tenantgate.login.attempts.transactions import LoginTransaction
from tenantgate.login.errors import InvalidAuthorizationCode, RefreshTokenRefused
from tenantgate.login.models import ProviderTokens, RenewedTokens
from tenantgate.login.provider.calls import ProviderCalls, Reply, Timeouts
from tenantgate.login.provider.metadata import ClientAuthentication, ClientRegistration, ProviderMetadata
from tenantgate.login.provider.provider_errors import refuses_client
from tenantgate.login.provider.provider_text import provider_text
from tenantgate.login.provider.token_response import (
    error_code,
    raise_client_error,
    renewed_tokens,
    require_success,
    signed_in_tokens,
)

# A refresh token can be spent only once with some providers, so its response is waited for as long as the function's
# time allows.
REFRESH_TIMEOUTS = Timeouts(read=time_limits.REFRESH_TOTAL, total=time_limits.REFRESH_TOTAL)
_TIMEOUTS = Timeouts()

type TokenTypeHint = Literal["access_token", "refresh_token"]


class ClientSecret(Protocol):
    """The client's secret. Read it for each use, since it may be rotated."""

    async def get(self, name: str) -> str: ...

    def invalidate(self) -> None: ...


class ProviderClient:
    """Calls the provider as the registered client. `refresh_timeouts` apply to refreshes."""

    def __init__(
        self,
        registration: ClientRegistration,
        secrets: ClientSecret,
        *,
        timeouts: Timeouts = _TIMEOUTS,
        refresh_timeouts: Timeouts = REFRESH_TIMEOUTS,
    ) -> None:
        self._registration = registration
        self._secrets = secrets
        self._timeouts = timeouts
        self._refresh_timeouts = refresh_timeouts
        self._calls = ProviderCalls()

    async def exchange(self, provider: ProviderMetadata, *, code: str, transaction: LoginTransaction) -> ProviderTokens:
        """Redeem the code (RFC 6749 §4.1.3 with RFC 7636 §4.5 and RFC 8707 §2.2).

        Raises `InvalidAuthorizationCode` when the provider refuses the code, `IdTokenRefused` when it issues no ID
        token, `ProviderRefusedClient` when it refuses the client or its request, `ProviderUnreachable` when its
        response is invalid or reports a temporary failure, `ProviderTimeout` when it is too slow, `Overloaded` when
        too many calls are running.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": transaction.redirect_uri,
            "code_verifier": transaction.code_verifier,
        }
        reply, secrets = await self._request_tokens(provider, form, self._timeouts)
        require_success(reply, sent=(code, *secrets, transaction.code_verifier), refused=InvalidAuthorizationCode)
        return signed_in_tokens(reply)

    async def refresh(self, provider: ProviderMetadata, refresh_token: str) -> RenewedTokens:
        """Redeem the refresh token (RFC 6749 §6, OpenID Connect Core §12).

        The response may lack an ID token and a new refresh token: the one before stays good then. Raises
        `RefreshTokenRefused` when the provider refuses the refresh token, and otherwise what `exchange` raises.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        reply, secrets = await self._request_tokens(provider, form, self._refresh_timeouts)
        require_success(reply, sent=(refresh_token, *secrets), refused=RefreshTokenRefused)
        return renewed_tokens(reply)

    async def revoke(self, provider: ProviderMetadata, token: str, *, hint: TokenTypeHint = "refresh_token") -> None:
        """Revoke a token (RFC 7009 §2.1); a refresh token with its grant.

        Without effect at a provider that has no revocation endpoint. Raises what `exchange` raises, except for the
        errors of the code.
        """
        if (url := provider.revocation_endpoint) is None:
            return
        form = {"token": token, "token_type_hint": hint}
        authentication = provider.revocation_authentication
        reply, secrets = await self._post(url, form, authentication, self._timeouts)
        if reply.status != 200:
            description = (reply.body or {}).get("error_description")
            raise_client_error(
                reply,
                description=provider_text(description, secrets=(token, *secrets)),
                endpoint="revocation endpoint",
            )

    async def userinfo(self, provider: ProviderMetadata, *, access_token: str, subject: str) -> Mapping[str, object]:
        """Return the claims of the userinfo endpoint (OpenID Connect Core §5.3).

        `subject` is the verified ID token's `sub`. A response about another subject is refused, as §5.3.2 requires,
        since the access token could have been swapped. A sign-in doesn't need this call: identity comes from verified
        tokens.
        """
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        url = provider.userinfo_endpoint
        status, body = await self._calls.send("GET", url, headers=headers, timeouts=self._timeouts)
        if status != 200 or body is None:
            raise ProviderUnreachable("the userinfo endpoint's response is invalid", status=status)
        if body.get("sub") != subject:
            raise IdTokenRefused("userinfo is about another subject", expected=subject, actual=body.get("sub"))
        return body

    async def _request_tokens(
        self, provider: ProviderMetadata, form: Mapping[str, str], timeouts: Timeouts
    ) -> tuple[Reply, tuple[str, ...]]:
        if self._registration.resource is not None:
            form = {**form, "resource": self._registration.resource}
        return await self._post(provider.token_endpoint, form, provider.client_authentication, timeouts)

    async def _post(
        self, url: str, form: Mapping[str, str], authentication: ClientAuthentication, timeouts: Timeouts
    ) -> tuple[Reply, tuple[str, ...]]:
        """Return the response, and the client secrets that were sent."""
        began = time.monotonic()
        secret = await self._secrets.get("OIDC_CLIENT_SECRET")
        reply = await self._post_form(url, form, authentication, secret, timeouts)
        error = error_code(reply)
        if error is not None and refuses_client(reply.status, error):
            # The secret may have been rotated since it was read. The provider has not used the code or token yet.
            self._secrets.invalidate()
            if (renewed := await self._secrets.get("OIDC_CLIENT_SECRET")) != secret:
                left = replace(timeouts, total=max(0.0, timeouts.total - (time.monotonic() - began)))
                return await self._post_form(url, form, authentication, renewed, left), (secret, renewed)
        return reply, (secret,)

    async def _post_form(
        self, url: str, form: Mapping[str, str], authentication: ClientAuthentication, secret: str, timeouts: Timeouts
    ) -> Reply:
        client_id = self._registration.client_id
        headers = {"Accept": "application/json"}
        if authentication == "client_secret_basic":
            # Both parts are form-encoded first (RFC 6749 §2.3.1).
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form = {**form, "client_id": client_id, "client_secret": secret}
        return await self._calls.send("POST", url, headers=headers, timeouts=timeouts, form=form)
