"""The code and refresh token grants with PKCE and OpenID Connect (RFC 6749 §4.1 and §6, RFC 7636, Core §3.1 and §12).

They subclass authlib's grants. authlib is synchronous and reads and writes storage in the middle of its checks. So a
code is redeemed and a refresh token is found in the database before authlib runs (`ProtocolRequest.redeemed`). A new
code (`ProtocolRequest.issued`) and a new refresh token (in the response) are saved afterwards.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode

from tenantgate.crypto.opaque import OpaqueSecret
from tenantgate.openid_provider.models import (
    CODE_LIFETIME_SECONDS,
    CODES,
    OFFLINE_ACCESS,
    AuthorizationCode,
    BrowserSession,
    Client,
    Parameters,
    RefreshToken,
    User,
)
from tenantgate.openid_provider.protocol.keys import KeyRing

# RFC 7636 §4.1 and §4.2. An S256 challenge is 32 bytes in base64url, always 43 characters.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}\Z")


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """The user who grants an authorization request, and the browser session."""

    user: User
    session: BrowserSession


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A valid code, now used up, or a live refresh token, and the user to issue tokens for. `now`: epoch seconds."""

    credential: AuthorizationCode | RefreshToken
    user: User
    now: int


class ProtocolRequest(OAuth2Request):  # type: ignore[misc]  # authlib is untyped
    """A request in authlib's form. `now`: whole epoch seconds."""

    def __init__(self, method: str, uri: str, parameters: Parameters, headers: Mapping[str, str], *, now: int) -> None:
        super().__init__(method, uri, headers=dict(headers))
        self.payload = BasicOAuth2Payload(dict(parameters))
        self.now = now
        self.redeemed: Redeemed | None = None
        self.issued: AuthorizationCode | None = None

    @property
    def form(self) -> Mapping[str, str]:
        form: Mapping[str, str] = self.payload.data
        return form


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """Issues codes, which work once, for a minute, for one client, redirect URI, challenge and browser session."""

    request: ProtocolRequest
    secret: OpaqueSecret

    def generate_authorization_code(self) -> str:
        self.secret = CODES.issue(self.request.user.user.tenant_id)
        return self.secret.text

    def save_authorization_code(self, code: str, request: ProtocolRequest) -> None:
        subject: SignedInUser = request.user
        scope = subject.user.allowed_scope(request.scope)
        if not scope:
            raise InvalidScopeError(
                "The user has none of the requested scopes.",
                redirect_uri=request.payload.redirect_uri,
                state=request.payload.state,
            )
        request.issued = AuthorizationCode(
            digest=self.secret.digest,
            client_id=request.client.client_id,
            redirect_uri=request.payload.redirect_uri,
            scope=scope,
            tenant_id=subject.user.tenant_id,
            user_id=subject.user.id,
            sid=subject.session.sid,
            auth_time=subject.session.auth_time,
            code_challenge=request.form["code_challenge"],
            nonce=request.form.get("nonce") or None,
            expires_at=request.now + CODE_LIFETIME_SECONDS,
        )

    def query_authorization_code(self, code: str, client: Client) -> AuthorizationCode | None:
        # The database has redeemed it already, atomically and only for the authenticated client.
        redeemed = self.request.redeemed
        return None if redeemed is None or isinstance(redeemed.credential, RefreshToken) else redeemed.credential

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Delete nothing: redeeming used the code up."""

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Redeemed | None:
        return self.request.redeemed

    def generate_token(self, *, user: Redeemed, scope: str, include_refresh_token: bool) -> dict[str, object]:
        token: dict[str, object] = super().generate_token(
            user=user, scope=scope, include_refresh_token=include_refresh_token and OFFLINE_ACCESS in scope.split()
        )
        return token


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    """Issues tokens for a refresh token, and its successor, which has the same scope (RFC 6749 §6)."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    request: ProtocolRequest

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        # Found in the database already: live, and the latest of its family.
        redeemed = self.request.redeemed
        return redeemed.credential if redeemed is not None and isinstance(redeemed.credential, RefreshToken) else None

    def authenticate_user(self, refresh_token: RefreshToken) -> Redeemed | None:
        return self.request.redeemed

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """Revoke nothing: the token is replaced in the database when its successor is saved."""


class RequiredS256(CodeChallenge):  # type: ignore[misc]
    """Requires PKCE with S256 (RFC 9700 §2.1.1)."""

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        form = grant.request.form
        if not form.get("code_challenge"):
            raise InvalidRequestError("code_challenge is required.")
        # An absent method means plain (RFC 7636 §4.3): its challenge is the verifier, readable in the request.
        if form.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        if not _CHALLENGE.match(form["code_challenge"]):
            raise InvalidRequestError("code_challenge is not an S256 challenge.")

    def validate_code_verifier(self, grant: CodeGrant, result: object) -> None:
        verifier = grant.request.form.get("code_verifier", "")
        if not _VERIFIER.match(verifier):
            raise InvalidRequestError("code_verifier is missing or malformed.")
        expected = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        if not hmac.compare_digest(expected, grant.request.authorization_code.code_challenge.encode()):
            raise InvalidGrantError("code_verifier does not match.")


class IdTokens(OpenIDCode):  # type: ignore[misc]
    """Adds an ID token if the scope includes `openid`.

    It has the two claims that a page shows, as most providers' ID tokens do. The userinfo endpoint has all (§5.4).
    After a refresh it has no nonce, and `auth_time` is still the time of the sign-in (§12.2).
    """

    def __init__(self, issuer: str, ring: KeyRing) -> None:
        super().__init__(require_nonce=False)
        self._issuer = issuer
        self._ring = ring

    def exists_nonce(self, nonce: str, request: ProtocolRequest) -> bool:
        # The client checks that a nonce comes once (§15.5.2). The provider learns nothing from a repeated one.
        return False

    def resolve_client_private_key(self, client: Client) -> object:
        return self._ring.key_for(client.id_token_signed_response_alg)

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return self._ring.header_for(client.id_token_signed_response_alg, "JWT")

    def get_compatible_claims(self, request: ProtocolRequest) -> dict[str, object]:
        credential = request.user.credential
        return {
            "iss": self._issuer,
            "sub": credential.user_id,
            "aud": request.client.client_id,
            "iat": request.now,
            "exp": request.now + request.client.token_lifetime_seconds,
            "auth_time": credential.auth_time,
            "amr": credential.get_amr(),
            "sid": credential.sid,
            "tenant_id": credential.tenant_id,
        }

    def generate_user_info(self, user: Redeemed, scope: str) -> dict[str, object]:
        granted = scope.split()
        names = [name for name, of in (("name", "profile"), ("email", "email")) if of in granted]
        return {name: user.user.claims[name] for name in names if name in user.user.claims}
