"""authlib's authorization server for our one client: which grants it knows and what its tokens say."""

from __future__ import annotations

import base64
import binascii
import logging
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc6750 import BearerTokenGenerator

from tenantgate.openid_provider.models import TOKEN_LIFETIME_SECONDS, Client, ProtocolResponse
from tenantgate.openid_provider.protocol.grants import CodeGrant, IdTokens, ProtocolRequest, RedeemedCode, RequiredS256
from tenantgate.openid_provider.protocol.keys import KeyRing

# authlib logs issued tokens at DEBUG. No token ever belongs in a log.
logging.getLogger("authlib").setLevel(logging.WARNING)


class ClientRefused(InvalidClientError):  # type: ignore[misc]
    """Client authentication failed (RFC 6749 §5.2): one answer for an unknown client and a wrong secret."""

    def __init__(self) -> None:
        super().__init__("Client authentication failed.", status_code=401)

    def get_headers(self) -> list[tuple[str, str]]:
        headers = [header for header in super().get_headers() if header[0] != "WWW-Authenticate"]
        return [*headers, ("WWW-Authenticate", 'Basic realm="tenantgate"')]


class ProtocolServer(AuthorizationServer):  # type: ignore[misc]
    """One request's server: built anew for each, so that rotated keys and secrets take effect by themselves."""

    def __init__(self, *, issuer: str, audience: str, client: Client, ring: KeyRing) -> None:
        super().__init__()
        self._issuer = issuer
        self._client = client
        self.register_grant(CodeGrant, [RequiredS256(required=True), IdTokens(issuer, ring)])
        self.register_token_generator("default", _AccessTokens(issuer, audience, ring))

    def endpoint(self, name: str) -> str:
        return f"{self._issuer}/{name}"

    def query_client(self, client_id: str) -> Client | None:
        return self._client if client_id == self._client.client_id else None

    def authenticate_client(
        self, request: ProtocolRequest, methods: Sequence[str] = (), endpoint: str = "token"
    ) -> Client:
        """The client, by exactly one of client_secret_basic and client_secret_post (RFC 6749 §2.3)."""
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
        """Access tokens are self-contained: nothing is stored."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """No framework listens."""

    def handle_response(
        self, status: int, body: Mapping[str, object] | str, headers: Sequence[tuple[str, str]]
    ) -> ProtocolResponse:
        named = dict(headers)
        location = named.pop("Location", None)
        if location is not None:
            # On success and on error alike: against mix-up, the answer says whose it is (RFC 9207 §2).
            location = add_params_to_uri(location, [("iss", self._issuer)])
        return ProtocolResponse(status, body if isinstance(body, Mapping) else None, named, location)

    def error_response(self, error: OAuth2Error) -> ProtocolResponse:
        """The error as the client is told it: by redirect when its URI is trusted, else as JSON."""
        response: ProtocolResponse = self.handle_error_response(None, error)
        return response


class _AccessTokens(BearerTokenGenerator):  # type: ignore[misc]
    """JWT access tokens (RFC 9068 §2.2) with the tenant."""

    def __init__(self, issuer: str, audience: str, ring: KeyRing) -> None:
        super().__init__(self._access_token, expires_generator=TOKEN_LIFETIME_SECONDS)
        self._issuer = issuer
        self._audience = audience
        self._ring = ring

    def _access_token(self, *, client: Client, grant_type: str, user: RedeemedCode, scope: str) -> str:
        claims = {
            "iss": self._issuer,
            "sub": user.user.id,
            "aud": self._audience,
            "client_id": client.client_id,
            "iat": user.now,
            "exp": user.now + TOKEN_LIFETIME_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "scope": scope,
            "auth_time": user.code.auth_time,
            "amr": user.code.get_amr(),
            "tenant_id": user.user.tenant_id,
        }
        return self._ring.sign(claims, algorithm=client.id_token_signed_response_alg, typ="at+jwt")


def _basic_credentials(authorization: str) -> tuple[str, str]:
    """Client id and secret, each form-encoded before the base64 (RFC 6749 §2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise ClientRefused from None
    if scheme.lower() != "basic" or not colon:
        raise ClientRefused
    return unquote_plus(client_id), unquote_plus(secret)
