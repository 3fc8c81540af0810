"""The userinfo endpoint (OpenID Connect Core §5.3), for access tokens of this provider (RFC 6750)."""

from __future__ import annotations

from collections.abc import Callable

from authlib.oidc.core import UserInfo
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from tenantgate.openid_provider.models import ProtocolResponse
from tenantgate.openid_provider.protocol.keys import KeyRing, TokenRefused
from tenantgate.openid_provider.storage.users import UserDirectory

_REALM = 'Bearer realm="tenantgate"'


class UserInfoService:
    """Returns claims. Made for each request: `ring` holds the current keys."""

    def __init__(
        self, *, issuer: str, audience: str, ring: KeyRing, users: UserDirectory, clock: Callable[[], float]
    ) -> None:
        self._ring = ring
        self._users = users
        self._required = JWTClaimsRegistry(
            now=lambda: int(clock()),
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
            scope={"essential": True},
        )

    def claims(self, *, authorization: str | None, posted_token: str | None) -> ProtocolResponse:
        """Return the claims that the token's scopes allow, or an error of RFC 6750 §3.1."""
        if authorization is not None and posted_token is not None:
            return _error(400, "invalid_request", "Send the token in one way, not two.")
        token = posted_token if authorization is None else _bearer(authorization)
        if token is None:
            # Without a bearer token the challenge names no error (RFC 6750 §3.1).
            return ProtocolResponse(401, headers={"WWW-Authenticate": _REALM})
        try:
            claims = self._ring.verify(token, typ="at+jwt")
            self._required.validate(claims)
        except (TokenRefused, JoseError):
            return _error(401, "invalid_token", "The access token is not valid.")
        user, scope = self._users.find(str(claims["sub"])), str(claims["scope"])
        if user is None:
            return _error(401, "invalid_token", "The access token is not valid.")
        if "openid" not in scope.split():
            return _error(403, "insufficient_scope", "The scope openid is needed.")
        return ProtocolResponse(200, {**UserInfo(user.claims).filter(scope), "sub": user.id})


def _bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _error(status: int, error: str, description: str) -> ProtocolResponse:
    challenge = f'{_REALM}, error="{error}", error_description="{description}"'
    return ProtocolResponse(status, {"error": error, "error_description": description}, {"WWW-Authenticate": challenge})
