"""The checks of an access token's claims: each raises its own error with expected and actual.

RFC 7519 §4.1, RFC 8725 §3, RFC 9068 §4. Numbers are whole (a boolean, a float or a text is none), texts printable.
The straight path through these functions is what verifying costs, so errors are put together elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors import (
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
from tenantgate.tokens.compact import Header
from tenantgate.tokens.issuers import IssuerPolicy

type Claims = Mapping[str, object]

# 9999-12-31T23:59:59Z: beyond it, dates can't be written any more.
_LAST_SECOND = 253402300799
_LONGEST_TEXT = 256
_MOST_AUDIENCES = 64

# Members of an ID token (OpenID Connect Core §2, §3.3.2.11) and of a logout token (Back-Channel Logout §2.4).
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
_LOGOUT_TOKEN_CLAIM = "events"  # noqa: S105 - the name of a claim
# Cognito and Keycloak name the kind of a token in its claims, too.
KIND_CLAIMS = _ID_TOKEN_CLAIMS | {_LOGOUT_TOKEN_CLAIM, "token_use", "typ"}
_OTHER_KINDS = frozenset({"id", "refresh", "offline", "logout"})


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
    """ID tokens, logout tokens and others are no bearer tokens (RFC 8725 §3.11)."""
    if header.typ not in policy.token_types:
        raise WrongTokenType("typ is not accepted", expected=sorted(policy.token_types), actual=shown(header.typ))
    if not KIND_CLAIMS.isdisjoint(claims):
        _check_kind_claims(claims, policy)


def _check_kind_claims(claims: Claims, policy: IssuerPolicy) -> None:
    if _LOGOUT_TOKEN_CLAIM in claims:
        raise WrongTokenType("this is a logout token", actual=_LOGOUT_TOKEN_CLAIM)
    if not _ID_TOKEN_CLAIMS.isdisjoint(claims) and not policy.allow_id_tokens:
        raise WrongTokenType("this is an ID token", actual=sorted(_ID_TOKEN_CLAIMS.intersection(claims)))
    if "token_use" in claims:
        use = claims["token_use"]
        if not isinstance(use, str) or use not in policy.token_uses:
            raise WrongTokenType("token_use is not accepted", expected=sorted(policy.token_uses), actual=shown(use))
    if "typ" in claims:
        kind = claims["typ"]
        if not isinstance(kind, str) or (kind.lower() in _OTHER_KINDS and not policy.allow_id_tokens):
            raise WrongTokenType("the claim typ names another kind of token", actual=shown(kind))


def check_times(claims: Claims, now: float, leeway: int, longest: int | None = None) -> tuple[int, int, int]:
    """Whole seconds: `iat`, `exp`, and from when the token is valid (the leeway taken off).

    Both are required, and at most `longest` seconds apart; `nbf` counts when present. Whether the token has expired is
    `check_expiry`'s, so that everything else can be checked before.
    """
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    # `type(...) is int`: True is an instance of int, and would be a second of 1970.
    if type(issued_at) is not int or not 0 <= issued_at <= _LAST_SECOND:
        raise _no_number(claims, "iat")
    if type(expires_at) is not int or not 0 <= expires_at <= _LAST_SECOND:
        raise _no_number(claims, "exp")
    latest = now + leeway
    if issued_at > latest:
        raise IssuedInFuture("iat is in the future", expected=f"at most {int(now)} + {leeway}", actual=issued_at)
    if expires_at <= issued_at:
        raise InvalidClaim("exp is not after iat", claim="exp", expected=f"after {issued_at}", actual=expires_at)
    if longest is not None and expires_at - issued_at > longest:
        raise LifetimeTooLong("token lives too long", expected=f"at most {longest} s", actual=expires_at - issued_at)
    if "nbf" not in claims:
        return issued_at, expires_at, issued_at - leeway
    not_before = claims["nbf"]
    if type(not_before) is not int or not 0 <= not_before <= _LAST_SECOND:
        raise _no_number(claims, "nbf")
    if not_before > latest:
        raise NotYetValid("nbf is in the future", expected=f"at most {int(now)} + {leeway}", actual=not_before)
    return issued_at, expires_at, max(issued_at, not_before) - leeway


def _no_number(claims: Claims, name: str) -> TokenError:
    if name not in claims:
        return MissingClaim(f"{name} is missing", claim=name)
    return InvalidClaim(f"{name} is not a whole number of seconds", claim=name, actual=shown(claims[name]))


def check_expiry(expires_at: int, now: float, leeway: int) -> None:
    if now >= expires_at + leeway:
        raise TokenExpired("token has expired", expected=f"before {expires_at} + {leeway}", actual=int(now))


def check_audience(claims: Claims, policy: IssuerPolicy) -> None:
    """The first audience claim that is present must name this API, and `aud` must whenever it is present."""
    for name in policy.audience_claims:
        if name in claims:
            _check_one_audience(name, claims[name], policy.audiences)
            break
    else:
        raise MissingClaim(f"{' or '.join(policy.audience_claims)} is missing", claim=policy.audience_claims[0])
    # RFC 7519 §4.1.3: who isn't named by a present `aud` must refuse, whatever another claim says.
    if name != "aud" and "aud" in claims:
        _check_one_audience("aud", claims["aud"], policy.audiences)


def _check_one_audience(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if value in accepted:
            return
    elif not isinstance(value, list) or not 0 < len(value) <= _MOST_AUDIENCES or not _texts(value):
        raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))
    elif any(audience in accepted for audience in value):
        return
    raise WrongAudience(f"{name} names somebody else", claim=name, expected=accepted, actual=shown(value))


def required_text(claims: Claims, name: str) -> str:
    """A required claim of 1 to 256 printable characters."""
    value = claims.get(name)
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable():
        return value
    if name not in claims:
        raise MissingClaim(f"{name} is missing", claim=name)
    raise InvalidClaim(f"{name} is not a printable text of at most 256 characters", claim=name, actual=shown(value))


def scopes_of(claims: Claims, names: tuple[str, ...]) -> frozenset[str]:
    """The scopes out of all these claims: space-separated text (RFC 8693 §4.2) or a list of texts."""
    found: frozenset[str] = frozenset()
    for name in names:
        if name in claims:
            scopes = _scopes(name, claims[name])
            found = found | scopes if found else scopes
    return found


# An issuer's tokens say the same few scope texts over and over. Asked only of signed claims, so nobody else fills it.
_split_before: dict[str, frozenset[str]] = {}


def _scopes(name: str, value: object) -> frozenset[str]:
    if isinstance(value, str):
        known = _split_before.get(value)
        if known is not None:
            return known
        if value.isprintable():
            if len(_split_before) >= 256:
                _split_before.clear()
            return _split_before.setdefault(value, frozenset(value.split()))
    if isinstance(value, list) and _texts(value) and all(scope.isprintable() for scope in value):
        # One with a blank would be several, once joined for the authorizer's context.
        return frozenset(scope for scope in value if scope and " " not in scope)
    raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))


def _texts(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)
