"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError

from tenantgate.openid_provider.models import ProtocolResponse
from tenantgate.openid_provider.protocol.keys import KeyRing, TokenRefused
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.refresh_tokens import RefreshTokens


class UnsupportedTokenType(OAuth2Error):  # type: ignore[misc]  # authlib's own has another status
    error = "unsupported_token_type"


class RevocationService:
    """Revokes refresh tokens. Made for each request: `server` and `ring` hold the current keys and secret."""

    def __init__(
        self, *, server: ProtocolServer, ring: KeyRing, refresh_tokens: RefreshTokens, clock: Callable[[], float]
    ) -> None:
        self._server = server
        self._ring = ring
        self._refresh_tokens = refresh_tokens
        self._clock = clock

    async def revoke(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """End the family of a refresh token and return 200, or an error of RFC 7009 §2.2.1.

        Unknown, expired and revoked tokens get 200, too, and so does another client's token, which stays valid.
        `authorization`: the header's value.
        """
        request = self._server.request("revoke", submitted, authorization=authorization, now=int(self._clock()))
        try:
            if submitted.is_repeated_or_too_long():
                raise InvalidRequestError("A parameter is too long or given more than once.")
            client = self._server.authenticate_client(request)
            if not (token := submitted.values.get("token")):
                raise InvalidRequestError("token is required.")
            if self._is_access_token(token):
                # No API asks this provider about a token, so 200 would promise more than it can keep.
                raise UnsupportedTokenType("Access tokens can't be revoked: they are valid until they expire.")
        except OAuth2Error as error:
            return self._server.error_response(error)
        await self._refresh_tokens.revoke(token, client_id=client.client_id)
        return ProtocolResponse(200)

    def _is_access_token(self, token: str) -> bool:
        try:
            self._ring.verify(token, typ="at+jwt")
        except TokenRefused:
            return False
        return True
