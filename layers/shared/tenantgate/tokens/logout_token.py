"""The checks of a logout token after its signature (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from __future__ import annotations

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, WrongTokenType
from tenantgate.tokens.claims import Claims, check_expiry, check_times, required_text, shown
from tenantgate.tokens.id_token import check_client
from tenantgate.tokens.jws import Header
from tenantgate.tokens.records import Record

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
# The specification recommends an explicit type and doesn't require it. Keycloak sends `JWT`.
_LOGOUT_TOKEN_TYPES = frozenset({"logout+jwt", "jwt", ""})
# §4 recommends two minutes. The ids of received tokens are kept until the tokens expire.
_LONGEST_LIFETIME_SECONDS = 3600


class LogoutToken(Record):
    """A logout token that passed every check. It has a `subject`, a `sid`, or both. Times are epoch seconds.

    `kid`: of the key that signed it, if the key has one.
    """

    __slots__ = ()

    issuer: str
    subject: str | None
    sid: str | None
    token_id: str
    issued_at: int
    expires_at: int
    kid: str | None


def check_logout_token(
    claims: dict[str, object], header: Header, *, kid: str | None, client_id: str, now: float, leeway: int
) -> LogoutToken:
    """Check the claims and return the token. `kid`: of the key that signed it.

    Raises the `TokenError` of the first check that fails.
    """
    if header.typ not in _LOGOUT_TOKEN_TYPES:
        raise WrongTokenType("this is not a logout token", actual=shown(header.typ))
    _check_event(claims)
    if "nonce" in claims:
        # An ID token has one. §2.4 prohibits it here, so that neither can be used as the other.
        raise WrongTokenType("a logout token has no nonce")
    issued_at, expires_at, _ = check_times(claims, now, leeway, _LONGEST_LIFETIME_SECONDS)
    check_expiry(expires_at, now, leeway)
    check_client(claims, client_id)
    token_id = required_text(claims, "jti")
    subject, sid = _optional_text(claims, "sub"), _optional_text(claims, "sid")
    if subject is None and sid is None:
        raise MissingClaim("sub and sid are missing", claim="sub")
    return LogoutToken(str(claims["iss"]), subject, sid, token_id, issued_at, expires_at, kid)


def _check_event(claims: Claims) -> None:
    events = claims.get("events")
    if events is None:
        raise WrongTokenType("a logout token has events")
    # Other members of either object are allowed: Keycloak adds `revoke_offline_access`.
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise InvalidClaim("events doesn't have the logout event", claim="events", expected=LOGOUT_EVENT)


def _optional_text(claims: Claims, name: str) -> str | None:
    return None if claims.get(name) is None else required_text(claims, name)
