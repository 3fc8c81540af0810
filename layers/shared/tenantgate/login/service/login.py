"""Sign in at an OpenID provider by authorization code with PKCE (OpenID Connect Core §3.1, RFC 9700 §2.1.1)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.tokens import IdTokenRefused
from tenantgate.login.attempts.redirects import RedirectPolicy
from tenantgate.login.attempts.transactions import LoginTransaction, Transactions
from tenantgate.login.errors import InvalidAuthorizationCode, StateMismatch
from tenantgate.login.models import AuthorizationResponse, LoginStarted, ProviderTokens, VerifiedSignIn
from tenantgate.login.provider.metadata import (
    ClientRegistration,
    ProviderMetadata,
    authorization_url,
    printable_error_code,
)
from tenantgate.login.provider.provider_errors import returned_error
from tenantgate.login.provider.provider_text import provider_text
from tenantgate.login.service.access_tokens import AccessTokens, KeyCheck, lifetime
from tenantgate.login.service.id_tokens import verified_id_token
from tenantgate.login.service.remedies import id_token_remedy
from tenantgate.observability.redaction import disclose
from tenantgate.tokens.verifier import VerifiedToken

_MAX_CODE_LENGTH = 4096


class TokenEndpoint(Protocol):
    """Redeems codes; see `client.ProviderClient`."""

    async def exchange(
        self, provider: ProviderMetadata, *, code: str, transaction: LoginTransaction
    ) -> ProviderTokens: ...


class Verifier(Protocol):
    """The part of `tokens.verifier.TokenVerifier` that a sign-in uses."""

    def verify_id_token(
        self, token: str, *, client_id: str, nonce: str | None, access_token: str | None, fetch: bool
    ) -> VerifiedToken: ...


class LoginService:
    """Begins and completes sign-ins. `clock` gives epoch seconds. `own_callback` is the URL of this API's callback."""

    def __init__(
        self,
        *,
        registration: ClientRegistration,
        redirects: RedirectPolicy,
        own_callback: str,
        provider: Callable[[], Awaitable[ProviderMetadata]],
        token_endpoint: TokenEndpoint,
        verifier: Verifier,
        access_tokens: AccessTokens,
        require_key: KeyCheck,
        sealer: Callable[[], Awaitable[Sealer]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registration = registration
        self._redirects = redirects
        self._own_callback = own_callback
        self._provider = provider
        self._token_endpoint = token_endpoint
        self._verifier = verifier
        self._access_tokens = access_tokens
        self._require_key = require_key
        self._sealer = sealer
        self._clock = clock

    async def begin(
        self, *, redirect_uri: str | None, return_to: str | None, cookies: Mapping[str, str]
    ) -> LoginStarted:
        """Start an attempt.

        `redirect_uri`: the redirect URI of an app that receives the code itself (default: this API's callback).
        `return_to`: the target to which this API's callback redirects (default `/`). Raises `RedirectNotAllowed`,
        `ProviderUnreachable`, `SecretsUnavailable`.
        """
        target = self._own_callback
        if redirect_uri is not None and redirect_uri != self._own_callback:
            target = self._redirects.require_redirect_uri(redirect_uri)
        back = "/" if return_to is None else self._redirects.require_return_to(return_to)
        # First: with the sealing keys in memory, copies of the provider's metadata can be read.
        transactions = await self._transactions()
        provider = await self._provider()
        transaction = transactions.begin(issuer=provider.issuer, redirect_uri=target, return_to=back)
        cookie = transactions.cookie(transaction)
        return LoginStarted(
            authorization_url=authorization_url(provider, self._registration, transaction),
            cookie=cookie,
            stale_cookies=transactions.to_drop(cookies, making_room_for=cookie),
        )

    async def complete(
        self, response: AuthorizationResponse, *, by_redirect: bool, cookies: Mapping[str, str]
    ) -> VerifiedSignIn:
        """Complete the attempt that `response` belongs to.

        `by_redirect`: the provider redirected the browser here with the response; otherwise an app posted it. An
        attempt that was begun with an app's `redirect_uri` can only be completed by a post, any other by either.

        Raises `StateMismatch` (AUTH_002), `InvalidAuthorizationCode` (AUTH_001), `IdTokenRefused` (AUTH_008),
        `AccessTokenUnusable` (AUTH_009), the tenant extractor's errors (AUTH_005), `ProviderRefusedClient` (SYS_012),
        `ProviderUnreachable`, `ProviderTimeout`, `RevocationUnknown`, `SecretsUnavailable`.
        """
        # The state comes first: before it matches, the rest of the response may come from anyone.
        transaction = (await self._transactions()).find(response.state, cookies)
        if by_redirect and transaction.redirect_uri != self._own_callback:
            # The provider sent this response to an app. Someone who finds it there (in a log, a referrer, a history)
            # must not be able to turn it into a session of this browser by a link.
            raise StateMismatch("the response to an app's attempt came by redirect", sent_to=transaction.redirect_uri)
        provider = await self._provider()
        self._require_issuer(response.iss, transaction, provider, by_redirect=by_redirect)
        code = _require_code(response, transaction)
        tokens = await self._token_endpoint.exchange(provider, code=code, transaction=transaction)
        id_token = await self._id_token(tokens, transaction)
        # The `sub` of the two tokens is not compared: with pairwise subjects (Entra ID), one user has different ones at
        # the client and at the API. `at_hash`, when present, binds the tokens to each other.
        principal = await self._access_tokens.principal(tokens.access_token, provider=id_token.issuer)
        return VerifiedSignIn(
            principal=principal,
            id_token=id_token,
            tokens=tokens,
            expires_in=lifetime(principal, tokens.expires_in, now=self._clock()),
            return_to=transaction.return_to,
        )

    async def _transactions(self) -> Transactions:
        return Transactions(await self._sealer(), clock=self._clock)

    @staticmethod
    def _require_issuer(
        iss: str | None, transaction: LoginTransaction, provider: ProviderMetadata, *, by_redirect: bool
    ) -> None:
        # RFC 9207 §2.4. If the provider was reconfigured after the attempt began, no response matches.
        if transaction.issuer != provider.issuer:
            raise StateMismatch("the attempt was begun at another provider", begun_at=transaction.issuer)
        # An app may post only the code and the state. This service has one provider, so the response of another can't
        # be mixed up with its response (RFC 9700 §4.4.2).
        if iss is None and provider.announces_iss and by_redirect:
            raise StateMismatch("the provider announces iss, but the response lacks it")
        if iss is not None and iss != provider.issuer:
            raise StateMismatch("iss names another provider", expected=provider.issuer, actual=iss)

    async def _id_token(self, tokens: ProviderTokens, transaction: LoginTransaction) -> VerifiedToken:
        try:
            return await verified_id_token(
                lambda: self._verifier.verify_id_token(
                    tokens.id_token,
                    client_id=self._registration.client_id,
                    nonce=transaction.nonce,
                    access_token=tokens.access_token,
                    fetch=False,
                ),
                self._require_key,
            )
        except IdTokenRefused as error:
            error.detail = id_token_remedy(error)
            raise


def _require_code(response: AuthorizationResponse, transaction: LoginTransaction) -> str:
    if response.error is not None:
        code = printable_error_code(response.error) or "unknown"
        secrets = [transaction.state, transaction.nonce, transaction.code_verifier, response.code or ""]
        description = provider_text(response.error_description, secrets=secrets)
        for text in filter(None, (code, description)):
            # The log would mask them, since the request carried them. The state shows that the provider sent them.
            disclose(text)
        raise returned_error(code, description=description)
    if not response.code or len(response.code) > _MAX_CODE_LENGTH or not response.code.isprintable():
        raise InvalidAuthorizationCode("the response has no usable code")
    return response.code
