"""The token endpoint (RFC 6749 §3.2), for the code and refresh token grants."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from tenantgate.openid_provider.models import CODES, Client, ProtocolResponse, RefreshToken
from tenantgate.openid_provider.protocol.grants import ProtocolRequest, Redeemed
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.refresh_tokens import RefreshTokens
from tenantgate.openid_provider.storage.stores import CodeStore
from tenantgate.openid_provider.storage.users import UserDirectory

_log = logging.getLogger(__name__)


class TokenService:
    """Issues tokens. Made for each request: `server` holds the current keys and the client's current secret."""

    def __init__(
        self,
        *,
        server: ProtocolServer,
        users: UserDirectory,
        codes: CodeStore,
        refresh_tokens: RefreshTokens,
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._users = users
        self._codes = codes
        self._refresh_tokens = refresh_tokens
        self._clock = clock

    async def redeem(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """Return tokens for a code or a refresh token, or an error of RFC 6749 §5.2.

        `authorization`: the header's value.
        """
        now = int(self._clock())
        request = self._server.request("token", submitted, authorization=authorization, now=now)
        try:
            if submitted.is_repeated_or_too_long():
                raise InvalidRequestError("A parameter is too long or given more than once.")
            if not submitted.values.get("grant_type"):
                raise InvalidRequestError("grant_type is required.")
            # Before the code is read: only its own client can use it up.
            client = self._server.authenticate_client(request)
        except OAuth2Error as error:
            return self._server.error_response(error)
        request.redeemed = await self._redeemed(submitted, client, now)
        response: ProtocolResponse = self._server.create_token_response(request)
        return await self._with_saved_refresh_token(response, request)

    async def _redeemed(self, submitted: Submitted, client: Client, now: int) -> Redeemed | None:
        match submitted.values.get("grant_type"):
            case "authorization_code":
                return await self._redeem_code(submitted.values.get("code", ""), client, now)
            case "refresh_token":
                return await self._find_refresh_token(submitted.values.get("refresh_token", ""), client, now)
        return None

    async def _redeem_code(self, text: str, client: Client, now: int) -> Redeemed | None:
        if (code := CODES.parse(text)) is None:
            return None
        redeemed = await self._codes.redeem(code.digest, tenant_id=code.tenant_id, client_id=client.client_id, now=now)
        user = self._users.find(redeemed.user_id) if redeemed is not None else None
        if redeemed is None or user is None:
            _log.warning("an authorization code was refused", extra={"context": {"client_id": client.client_id}})
            await self._refresh_tokens.revoke_for_code(code, client_id=client.client_id)
            return None
        return Redeemed(redeemed, user, now)

    async def _find_refresh_token(self, text: str, client: Client, now: int) -> Redeemed | None:
        token = await self._refresh_tokens.find_live(text, client_id=client.client_id)
        user = self._users.find(token.user_id) if token is not None else None
        if token is None or user is None:
            _log.warning("a refresh token was refused", extra={"context": {"client_id": client.client_id}})
            return None
        # The user may have lost scopes since the sign-in.
        return Redeemed(replace(token, scope=user.allowed_scope(token.scope)), user, now)

    async def _with_saved_refresh_token(self, response: ProtocolResponse, request: ProtocolRequest) -> ProtocolResponse:
        """Store the response's refresh token; return an error instead if it may not be used any more."""
        issued = (response.body or {}).get("refresh_token")
        if request.redeemed is None or not isinstance(issued, str):
            return response
        credential = request.redeemed.credential
        if isinstance(credential, RefreshToken):
            saved = await self._refresh_tokens.rotate(credential, issued)
        else:
            saved = await self._refresh_tokens.start(issued, credential)
        if saved:
            return response
        return self._server.error_response(InvalidGrantError("The code or refresh token was used twice or revoked."))
