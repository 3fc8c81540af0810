"""The checks of an access token's claims: each raises its own error with expected and actual.

RFC 7519 §4.1, RFC 8725 §3, RFC 9068 §4. Times may have fractions (RFC 7519 §2), texts are printable, and `null` counts
as absent. The straight path through these functions is what verifying costs, so errors are put together elsewhere.
"""

from __future__ import annotations

from tenantgate.errors.tokens import (
    InvalidClaim,
    IssuedInFuture,
    LifetimeTooLong,
    MissingClaim,
    NotYetValid,
    TokenError,
    TokenExpired,
    WrongAudience,
    WrongTokenType,
)
from tenantgate.tokens.claim_reader import Claims, find, one_text
from tenantgate.tokens.issuers import SCOPE_CLAIMS, IssuerPolicy
from tenantgate.tokens.jws import Header

# 9999-12-31T23:59:59Z: beyond it, dates can't be written any more.
_LAST_SECOND = 253402300799
_LONGEST_TEXT = 256

# Members of an ID token (OpenID Connect Core §2, §3.3.2.11) and of a logout token (Back-Channel Logout §2.4).
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
_LOGOUT_TOKEN_CLAIM = "events"  # noqa: S105 - the name of a claim
# Cognito and Keycloak name the kind of a token in its claims, too.
KIND_CLAIMS = _ID_TOKEN_CLAIMS | {_LOGOUT_TOKEN_CLAIM, "token_use", "typ"}
_OTHER_KINDS = frozenset({"id", "refresh", "offline", "logout"})
# Where providers name the client that a token was issued to.
_CLIENT_CLAIMS = ("azp", "client_id", "cid", "appid")
# RFC 9068 §2.1: only access tokens have it.
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type


def shown(value: object) -> object:
    """A claim's value as it may be logged: short texts and numbers as they are, of others the type."""
    if isinstance(value, str):
        return value if len(value) <= 120 else f"{value[:120]}..."
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    if isinstance(value, list) and len(value) <= 8 and all(isinstance(item, str) for item in value):
        return [shown(item) for item in value]
    return type(value).__name__


def check_kind(claims: Claims, header: Header, policy: IssuerPolicy) -> None:
    """ID tokens, logout tokens and others are no bearer tokens (RFC 8725 §3.11, §3.12)."""
    if header.typ not in policy.token_types:
        raise WrongTokenType("typ is not accepted", expected=sorted(policy.token_types), actual=shown(header.typ))
    if not KIND_CLAIMS.isdisjoint(claims):
        _check_kind_claims(claims, policy)
    if header.typ != ACCESS_TOKEN_TYPE and not policy.allow_id_tokens and not _is_surely_an_access_token(claims):
        client = _client_in_audience(claims, policy)
        if client is not None:
            raise WrongTokenType(
                "its audience is a client, and nothing says that it is an access token",
                expected="typ at+jwt, token_use access, scope, scp, or Keycloak's typ Bearer; or another audience",
                actual=shown(client),
            )


def _check_kind_claims(claims: Claims, policy: IssuerPolicy) -> None:
    if claims.get(_LOGOUT_TOKEN_CLAIM) is not None:
        raise WrongTokenType("this is a logout token", actual=_LOGOUT_TOKEN_CLAIM)
    telling = sorted(name for name in _ID_TOKEN_CLAIMS if claims.get(name) is not None)
    if telling and not policy.allow_id_tokens:
        raise WrongTokenType("this is an ID token", actual=telling)
    use, kind = claims.get("token_use"), claims.get("typ")
    if use is not None and (not isinstance(use, str) or use not in policy.token_uses):
        raise WrongTokenType("token_use is not accepted", expected=sorted(policy.token_uses), actual=shown(use))
    if kind is not None and (
        not isinstance(kind, str) or (kind.lower() in _OTHER_KINDS and not policy.allow_id_tokens)
    ):
        raise WrongTokenType("the claim typ names another kind of token", actual=shown(kind))


def _is_surely_an_access_token(claims: Claims) -> bool:
    """Whether the claims say so. `azp`, `client_id` and `jti` say nothing: ID tokens have them as well."""
    for name in SCOPE_CLAIMS:
        value = claims.get(name)
        # At least one scope that is more than blanks.
        if isinstance(value, str | list) and any(isinstance(scope, str) and scope.strip() for scope in value):
            return True
    # The accepted values of token_use were checked before.
    use, kind = claims.get("token_use"), claims.get("typ")
    return (isinstance(use, str) and use != "id") or (isinstance(kind, str) and kind.lower() == "bearer")


def _client_in_audience(claims: Claims, policy: IssuerPolicy) -> str | None:
    """The client that the token is for, if it is for one: it may be an ID token then, or a signed UserInfo response.

    An ID token always names its client in `aud` (OpenID Connect Core §2); one from a refresh has no `nonce`. Without
    `aud`, a token is no ID token, so only a client that is known as one counts.
    """
    audience = claims.get("aud")
    own = [claims.get(name) for name in _CLIENT_CLAIMS]
    for value in audience if isinstance(audience, list) else (audience,):
        if isinstance(value, str) and (value in policy.client_ids or value in own):
            return value
    for name in policy.audience_claims:
        value = claims.get(name)
        if value is not None:
            return value if isinstance(value, str) and value in policy.client_ids else None
    return None


def check_times(claims: Claims, now: float, leeway: int, longest: int | None = None) -> tuple[int, int, float]:
    """`iat` and `exp` in whole seconds, rounded down, and from when the token is valid (the leeway taken off).

    Both are required, and at most `longest` seconds apart; `nbf` counts when present. Whether the token has expired is
    `check_expiry`'s, so that everything else can be checked before.
    """
    issued_at: object = claims.get("iat")
    expires_at: object = claims.get("exp")
    # `type(...) is int`: True is an instance of int, and would be a second of 1970.
    if type(issued_at) is not int or not 0 <= issued_at <= _LAST_SECOND:
        issued_at = _with_fraction(claims, "iat")
    if type(expires_at) is not int or not 0 <= expires_at <= _LAST_SECOND:
        expires_at = _with_fraction(claims, "exp")
    latest = now + leeway
    if issued_at > latest:
        raise IssuedInFuture("iat is in the future", expected=f"at most {int(now)} + {leeway}", actual=issued_at)
    if expires_at <= issued_at:
        raise InvalidClaim("exp is not after iat", claim="exp", expected=f"after {issued_at}", actual=expires_at)
    if longest is not None and expires_at - issued_at > longest:
        raise LifetimeTooLong("token lives too long", expected=f"at most {longest} s", actual=expires_at - issued_at)
    not_before: object = claims.get("nbf")
    if not_before is None:
        # Rounded down, so that no token lives longer than it says.
        return int(issued_at), int(expires_at), issued_at - leeway
    if type(not_before) is not int or not 0 <= not_before <= _LAST_SECOND:
        not_before = _with_fraction(claims, "nbf")
    if not_before > latest:
        raise NotYetValid("nbf is in the future", expected=f"at most {int(now)} + {leeway}", actual=not_before)
    return int(issued_at), int(expires_at), max(issued_at, not_before) - leeway


def _with_fraction(claims: Claims, name: str) -> float:
    """A NumericDate that is no whole number (RFC 7519 §2): finite, and before the year 10000."""
    value = claims.get(name)
    if type(value) is float and 0 <= value <= _LAST_SECOND:
        return value
    if value is None:
        raise MissingClaim(f"{name} is missing", claim=name)
    raise InvalidClaim(f"{name} is not a number of seconds", claim=name, actual=shown(value))


def check_expiry(expires_at: int, now: float, leeway: int) -> None:
    if now >= expires_at + leeway:
        raise TokenExpired("token has expired", expected=f"before {expires_at} + {leeway}", actual=int(now))


def check_audience(claims: Claims, policy: IssuerPolicy) -> None:
    """The first audience claim that is present must name this API, and `aud` must whenever it is present."""
    for name in policy.audience_claims:
        if claims.get(name) is not None:
            _check_one_audience(name, claims[name], policy.audiences)
            break
    else:
        raise MissingClaim(f"{' or '.join(policy.audience_claims)} is missing", claim=policy.audience_claims[0])
    # RFC 7519 §4.1.3: who isn't named by a present `aud` must refuse, whatever another claim says.
    if name != "aud" and claims.get("aud") is not None:
        _check_one_audience("aud", claims["aud"], policy.audiences)


def _check_one_audience(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if value in accepted:
            return
    elif not isinstance(value, list) or not value or not _texts(value):
        raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))
    elif any(audience in accepted for audience in value):
        return
    raise WrongAudience(f"{name} names somebody else", claim=name, expected=accepted, actual=shown(value))


def required_text(claims: Claims, name: str) -> str:
    """A required claim of 1 to 256 printable characters."""
    value = claims.get(name)
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable():
        return value
    raise _no_text(name, value)


def _no_text(name: str, value: object) -> TokenError:
    if value is None:
        return MissingClaim(f"{name} is missing", claim=name)
    return InvalidClaim(f"{name} is not a printable text of at most 256 characters", claim=name, actual=shown(value))


def user_of(claims: Claims, name: str) -> str:
    """The user id under a claim name or path (`claim_reader.py`): 1 to 256 printable characters."""
    value = find(claims, name)
    text = one_text(value)
    if text and len(text) <= _LONGEST_TEXT and text.isprintable():
        return text
    raise _no_text(name, value)


def token_id_of(claims: Claims) -> str | None:
    """`jti`, of any length (RFC 7519 §4.1.7); None when it is absent or empty."""
    value = claims.get("jti")
    if value is None or (isinstance(value, str) and value.isprintable()):
        return value or None
    raise InvalidClaim("jti is not a printable text", claim="jti", actual=shown(value))


def scopes_of(claims: Claims, names: tuple[str, ...]) -> frozenset[str]:
    """The scopes out of all these claims: space-separated text (RFC 8693 §4.2) or a list of texts."""
    found: frozenset[str] = frozenset()
    for name in names:
        value = claims.get(name)
        if value is None and "." in name:
            value = find(claims, name)
        if value is not None:
            scopes = _scopes(name, value)
            found = found | scopes if found else scopes
    return found


# An issuer's tokens say the same few scope texts over and over. Only signed claims get here. No long text is kept: as
# a set of short words it takes 40 times its length in memory.
_MOST_KEPT = 256
_LONGEST_KEPT = 512
_split_before: dict[str, frozenset[str]] = {}


def _scopes(name: str, value: object) -> frozenset[str]:
    if isinstance(value, str):
        known = _split_before.get(value)
        if known is not None:
            return known
        if value.isprintable():
            scopes = frozenset(value.split())
            if len(value) <= _LONGEST_KEPT:
                if len(_split_before) >= _MOST_KEPT:
                    _split_before.clear()
                _split_before[value] = scopes
            return scopes
    if isinstance(value, list) and _texts(value) and all(scope.isprintable() for scope in value):
        # One with a blank would be several, once joined for the authorizer's context.
        return frozenset(scope for scope in value if scope and " " not in scope)
    raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))


def _texts(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)
