"""One assertion per claim: each raises its own error with expected and actual, and looks at nothing else.

RFC 7519 §4.1, RFC 9068 §4, RFC 8725 §3. Numbers are whole (a boolean, a float or a text is none), texts printable.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors import (
    InvalidClaim,
    IssuedInFuture,
    LifetimeTooLong,
    MissingClaim,
    NotYetValid,
    TokenExpired,
    WrongAudience,
    WrongTokenType,
)
from tenantgate.tokens.compact import Header
from tenantgate.tokens.forms import is_plain_text
from tenantgate.tokens.issuers import IssuerPolicy

type Claims = Mapping[str, object]

# 9999-12-31T23:59:59Z: beyond it, dates can't be written any more.
_LAST_SECOND = 253402300799
_MOST_AUDIENCES = 64

# Members of an ID token (OpenID Connect Core §2, §3.3.2.11) and of a logout token (Back-Channel Logout §2.4).
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
_LOGOUT_TOKEN_CLAIM = "events"  # noqa: S105 - the name of a claim
# Some providers name the kind of token in a claim `typ`, too.
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


def check_access_token_kind(claims: Claims, header: Header, policy: IssuerPolicy) -> None:
    """ID tokens, logout tokens and others are no bearer tokens (RFC 8725 §3.11)."""
    if header.typ not in policy.token_types:
        raise WrongTokenType("typ is not accepted", expected=sorted(policy.token_types), actual=shown(header.typ))
    if _LOGOUT_TOKEN_CLAIM in claims:
        raise WrongTokenType("this is a logout token", actual=_LOGOUT_TOKEN_CLAIM)
    if not _ID_TOKEN_CLAIMS.isdisjoint(claims) and not policy.allow_id_tokens:
        raise WrongTokenType("this is an ID token", actual=sorted(_ID_TOKEN_CLAIMS.intersection(claims)))
    if "token_use" in claims and (use := claims["token_use"]) not in _texts(policy.token_uses, use):
        raise WrongTokenType("token_use is not accepted", expected=sorted(policy.token_uses), actual=shown(use))
    if "typ" in claims:
        kind = claims["typ"]
        if not isinstance(kind, str) or (kind.lower() in _OTHER_KINDS and not policy.allow_id_tokens):
            raise WrongTokenType("the claim typ names another kind of token", actual=shown(kind))


def _texts(accepted: frozenset[str], value: object) -> frozenset[str]:
    # An unhashable value can't be looked up in a set.
    return accepted if isinstance(value, str) else frozenset()


def whole_seconds(claims: Claims, name: str) -> int:
    """A required NumericDate (RFC 7519 §2) in whole seconds."""
    value = claims.get(name)
    # `type(...) is int`: True is an instance of int, and would be the year 1970.
    if type(value) is int and 0 <= value <= _LAST_SECOND:
        return value
    if name not in claims:
        raise MissingClaim(f"{name} is missing", claim=name)
    raise InvalidClaim(f"{name} is not a whole number of seconds", claim=name, actual=shown(value))


def check_expiry(expires_at: int, now: float, leeway: int) -> None:
    if now >= expires_at + leeway:
        raise TokenExpired("token has expired", expected=f"before {expires_at} + {leeway}", actual=int(now))


def check_issued(issued_at: int, now: float, leeway: int) -> None:
    if issued_at > now + leeway:
        raise IssuedInFuture("iat is in the future", expected=f"at most {int(now)} + {leeway}", actual=issued_at)


def check_lifetime(issued_at: int, expires_at: int, longest: int) -> None:
    if expires_at <= issued_at:
        raise InvalidClaim("exp is not after iat", claim="exp", expected=f"after {issued_at}", actual=expires_at)
    if expires_at - issued_at > longest:
        raise LifetimeTooLong("token lives too long", expected=f"at most {longest} s", actual=expires_at - issued_at)


def check_not_before(claims: Claims, now: float, leeway: int) -> int:
    """When the token becomes valid, the leeway taken off; 0 when it doesn't say."""
    if "nbf" not in claims:
        return 0
    not_before = whole_seconds(claims, "nbf")
    if not_before > now + leeway:
        raise NotYetValid("nbf is in the future", expected=f"at most {int(now)} + {leeway}", actual=not_before)
    return not_before - leeway


def check_audience(claims: Claims, policy: IssuerPolicy) -> None:
    """The first audience claim that is present must name this API, and `aud` must whenever it is present."""
    for name in policy.audience_claims:
        if name in claims:
            _require_audience(name, claims[name], policy.audiences)
            break
    else:
        raise MissingClaim(f"{' or '.join(policy.audience_claims)} is missing", claim=policy.audience_claims[0])
    # RFC 7519 §4.1.3: who isn't named by a present `aud` must refuse, whatever another claim says.
    if name != "aud" and "aud" in claims:
        _require_audience("aud", claims["aud"], policy.audiences)


def _require_audience(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if value not in accepted:
            raise WrongAudience(f"{name} names somebody else", claim=name, expected=accepted, actual=shown(value))
        return
    if not (isinstance(value, list) and 0 < len(value) <= _MOST_AUDIENCES and all(isinstance(a, str) for a in value)):
        raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))
    if not any(audience in accepted for audience in value):
        raise WrongAudience(f"{name} names somebody else", claim=name, expected=accepted, actual=shown(value))


def required_text(claims: Claims, name: str) -> str:
    """A required claim of 1 to 256 printable characters."""
    value = claims.get(name)
    if isinstance(value, str) and is_plain_text(value):
        return value
    if name not in claims:
        raise MissingClaim(f"{name} is missing", claim=name)
    raise InvalidClaim(f"{name} is not a printable text of at most 256 characters", claim=name, actual=shown(value))


def optional_text(claims: Claims, name: str) -> str | None:
    return required_text(claims, name) if name in claims else None


def scopes_of(claims: Claims, names: tuple[str, ...]) -> frozenset[str]:
    """The scopes out of all these claims: space-separated text (RFC 8693 §4.2) or a list of texts without blanks."""
    found: list[str] = []
    for name in names:
        value = claims.get(name)
        if isinstance(value, str) and value.isprintable():
            found += value.split(" ")
        elif isinstance(value, list) and all(isinstance(scope, str) and scope.isprintable() for scope in value):
            # An item with blanks would be read as several scopes behind the authorizer's context.
            found += [scope for scope in value if " " not in scope]
        elif name in claims:
            raise InvalidClaim(
                f"{name} is neither a printable text nor a list of them", claim=name, actual=shown(value)
            )
    return frozenset(filter(None, found))
