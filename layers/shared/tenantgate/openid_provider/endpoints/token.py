"""The token endpoint (RFC 6749 §3.2), for the authorization code grant."""

from __future__ import annotations

import logging
from collections.abc import Callable

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError

from tenantgate.openid_provider.models import CODES, Client, ProtocolResponse
from tenantgate.openid_provider.protocol.grants import ProtocolRequest, RedeemedCode
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.stores import CodeStore
from tenantgate.openid_provider.storage.users import UserDirectory

_log = logging.getLogger(__name__)


class TokenService:
    """Redeems codes. Made for each request: `server` holds the current keys and the client's current secret."""

    def __init__(
        self, *, server: ProtocolServer, users: UserDirectory, codes: CodeStore, clock: Callable[[], float]
    ) -> None:
        self._server = server
        self._users = users
        self._codes = codes
        self._clock = clock

    async def redeem(self, submitted: Submitted, *, authorization: str | None) -> ProtocolResponse:
        """Return tokens for a code, or an error of RFC 6749 §5.2. `authorization`: the header's value."""
        now = int(self._clock())
        headers = {} if authorization is None else {"Authorization": authorization}
        request = ProtocolRequest("POST", self._server.endpoint("token"), submitted.values, headers, now=now)
        try:
            if submitted.is_repeated_or_too_long():
                raise InvalidRequestError("A parameter is too long or given more than once.")
            if not submitted.values.get("grant_type"):
                raise InvalidRequestError("grant_type is required.")
            # Before the code is read: only its own client can use it up.
            client = self._server.authenticate_client(request)
        except OAuth2Error as error:
            return self._server.error_response(error)
        request.redeemed = await self._redeem(submitted, client, now)
        response: ProtocolResponse = self._server.create_token_response(request)
        return response

    async def _redeem(self, submitted: Submitted, client: Client, now: int) -> RedeemedCode | None:
        code = CODES.parse(submitted.values.get("code", ""))
        if code is None or submitted.values.get("grant_type") != "authorization_code":
            return None
        redeemed = await self._codes.redeem(code.digest, tenant_id=code.tenant_id, client_id=client.client_id, now=now)
        user = self._users.find(redeemed.user_id) if redeemed is not None else None
        if redeemed is None or user is None:
            _log.warning("an authorization code was refused", extra={"context": {"client_id": client.client_id}})
            return None
        return RedeemedCode(redeemed, user, now)
