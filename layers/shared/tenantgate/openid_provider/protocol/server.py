"""authlib's authorization server for the provider's only client: its grants, its client authentication, its tokens."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc6750 import BearerTokenGenerator

from tenantgate.openid_provider.models import REFRESH_TOKENS, Client, ProtocolResponse
from tenantgate.openid_provider.protocol.access_tokens import AccessGrant, AccessTokens
from tenantgate.openid_provider.protocol.grants import (
    CodeGrant,
    IdTokens,
    ProtocolRequest,
    Redeemed,
    RefreshGrant,
    RequiredS256,
)
from tenantgate.openid_provider.protocol.keys import KeyRing
from tenantgate.openid_provider.protocol.requests import Submitted

# authlib logs issued tokens at DEBUG. No token ever belongs in a log.
logging.getLogger("authlib").setLevel(logging.WARNING)


class ClientRefused(InvalidClientError):  # type: ignore[misc]
    """Client authentication failed (RFC 6749 §5.2). An unknown client and a wrong secret get the same response."""

    def __init__(self) -> None:
        super().__init__("Client authentication failed.", status_code=401)

    def get_headers(self) -> list[tuple[str, str]]:
        headers = [header for header in super().get_headers() if header[0] != "WWW-Authenticate"]
        return [*headers, ("WWW-Authenticate", 'Basic realm="tenantgate"')]


class ProtocolServer(AuthorizationServer):  # type: ignore[misc]
    """The server of one request: a new one for each, so that rotated keys and secrets take effect at once."""

    def __init__(self, *, issuer: str, audience: str, client: Client, ring: KeyRing) -> None:
        super().__init__()
        self._issuer = issuer
        self._client = client
        self.register_grant(CodeGrant, [RequiredS256(required=True), IdTokens(issuer, ring)])
        self.register_grant(RefreshGrant, [IdTokens(issuer, ring)])
        self.register_token_generator("default", _Tokens(AccessTokens(issuer, audience, ring)))

    def endpoint(self, name: str) -> str:
        """Return the URL of an endpoint."""
        return f"{self._issuer}/{name}"

    def request(self, name: str, submitted: Submitted, *, authorization: str | None, now: int) -> ProtocolRequest:
        """Return a POST request to this endpoint. `authorization`: the header's value."""
        headers = {} if authorization is None else {"Authorization": authorization}
        return ProtocolRequest("POST", self.endpoint(name), submitted.values, headers, now=now)

    def query_client(self, client_id: str) -> Client | None:
        return self._client if client_id == self._client.client_id else None

    def authenticate_client(
        self, request: ProtocolRequest, methods: Sequence[str] = (), endpoint: str = "token"
    ) -> Client:
        """Return the client that one of client_secret_basic and client_secret_post proves (RFC 6749 §2.3)."""
        authorization = request.headers.get("Authorization")
        posted = request.form.get("client_secret")
        if authorization and posted:
            raise InvalidRequestError("Use one client authentication method, not two.")
        if authorization:
            client_id, secret = _basic_credentials(authorization)
            if request.form.get("client_id", client_id) != client_id:
                raise InvalidRequestError("client_id differs from the authenticated client.")
        else:
            client_id, secret = request.form.get("client_id", ""), posted or ""
        client = self.query_client(client_id)
        if client is None or not client.check_client_secret(secret):
            raise ClientRefused
        return client

    def create_oauth2_request(self, request: ProtocolRequest) -> ProtocolRequest:
        return request

    def save_token(self, token: Mapping[str, object], request: ProtocolRequest) -> None:
        """Store nothing: access tokens are self-contained, and the caller stores refresh tokens."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Send nothing: there is no framework to receive it."""

    def handle_response(
        self, status: int, body: Mapping[str, object] | str, headers: Sequence[tuple[str, str]]
    ) -> ProtocolResponse:
        named = dict(headers)
        location = named.pop("Location", None)
        if location is not None:
            # In every response, errors included: the issuer protects the client against mix-up attacks (RFC 9207 §2).
            location = add_params_to_uri(location, [("iss", self._issuer)])
        return ProtocolResponse(status, body if isinstance(body, Mapping) else None, named, location)

    def error_response(self, error: OAuth2Error) -> ProtocolResponse:
        """Return the error as a redirect if its URI is trusted, otherwise as JSON."""
        response: ProtocolResponse = self.handle_error_response(None, error)
        return response


class _Tokens(BearerTokenGenerator):  # type: ignore[misc]
    """The tokens that the client gets: access tokens with the user's roles and the granted scope."""

    def __init__(self, tokens: AccessTokens) -> None:
        super().__init__(
            self._access_token,
            refresh_token_generator=lambda *, user, **_: REFRESH_TOKENS.issue(user.credential.tenant_id).text,
            expires_generator=lambda client, _: client.token_lifetime_seconds,
        )
        self._tokens = tokens

    def _access_token(self, *, client: Client, grant_type: str, user: Redeemed, scope: str) -> str:
        grant = AccessGrant(
            user_id=user.user.id,
            tenant_id=user.user.tenant_id,
            client_id=client.client_id,
            scope=scope,
            roles=user.user.roles,
            auth_time=user.credential.auth_time,
            amr=user.credential.get_amr(),
            issued_at=user.now,
            expires_at=user.now + client.token_lifetime_seconds,
        )
        return self._tokens.issue(grant, client.id_token_signed_response_alg)


def _basic_credentials(authorization: str) -> tuple[str, str]:
    """Decode client id and secret, each form-encoded and then base64-encoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise ClientRefused from None
    if scheme.lower() != "basic" or not colon:
        raise ClientRefused
    return unquote_plus(client_id), unquote_plus(secret)
