"""The checks of a security event token (SET) after its signature (RFC 8417 §2.2, Shared Signals Framework 1.0 §4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tenantgate.errors.tokens import InvalidClaim, IssuedInFuture, MissingClaim, WrongAudience, WrongTokenType
from tenantgate.tokens.claims import all_texts, required_text, shown
from tenantgate.tokens.jws import Header
from tenantgate.tokens.records import Record

SECURITY_EVENT_TYPE = "secevent+jwt"
# The ids of received tokens are kept for this long: a token without an expiry could be replayed at any time.
LONGEST_AGE_SECONDS = 7 * 24 * 3600
# The framework lets a token have several only as other names of one event.
_MOST_EVENTS = 8
_NOT_IN_EVENTS = ("exp", "sub", "nonce")


class SecurityEvent(Record):
    """A SET that passed every check. `issued_at`: epoch seconds. `events`: the members of each, by its type.

    `subject`: the claim `sub_id`, as it was signed; None without one. `kid`: of the key that signed it, if the
    key has one.
    """

    __slots__ = ()

    issuer: str
    token_id: str
    issued_at: int
    events: Mapping[str, Mapping[str, object]]
    subject: object
    kid: str | None


def check_security_event(
    claims: dict[str, object],
    header: Header,
    *,
    kid: str | None,
    audiences: Collection[str],
    now: float,
    leeway: int,
) -> SecurityEvent:
    """Check the claims and return the event. `kid`: of the key that signed it.

    Raises the `TokenError` of the first check that fails.
    """
    if header.typ != SECURITY_EVENT_TYPE:
        raise WrongTokenType(
            "this is not a security event token", expected=SECURITY_EVENT_TYPE, actual=shown(header.typ)
        )
    found = [name for name in _NOT_IN_EVENTS if name in claims]
    if found:
        # Every other kind of token has one of these. The framework prohibits them here, so that no token is two kinds.
        raise WrongTokenType("a security event token has no exp, sub or nonce", actual=found)
    events = _events(claims.get("events"))
    issued_at = _issued_at(claims.get("iat"), now, leeway)
    _check_audience(claims.get("aud"), audiences)
    token_id = required_text(claims, "jti")
    return SecurityEvent(str(claims["iss"]), token_id, issued_at, events, claims.get("sub_id"), kid)


def _events(value: object) -> Mapping[str, Mapping[str, object]]:
    if value is None:
        raise MissingClaim("events is missing", claim="events")
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST_EVENTS:
        raise InvalidClaim("events is not an object of a few events", claim="events", actual=shown(value))
    if not all(isinstance(members, dict) for members in value.values()):
        raise InvalidClaim("an event is not an object", claim="events")
    return value


def _issued_at(value: object, now: float, leeway: int) -> int:
    if value is None:
        raise MissingClaim("iat is missing", claim="iat")
    # `type(...)`: True is an instance of int. A comparison with NaN is never true.
    if type(value) not in {int, float} or not isinstance(value, int | float) or not value >= 0:
        raise InvalidClaim("iat is not a number of seconds", claim="iat", actual=shown(value))
    if value > now + leeway:
        raise IssuedInFuture("iat is in the future", expected=f"at most {int(now)} + {leeway}", actual=value)
    if value < now - LONGEST_AGE_SECONDS:
        raise InvalidClaim(
            "the event is too old", claim="iat", expected=f"at least {int(now) - LONGEST_AGE_SECONDS}", actual=value
        )
    return int(value)


def _check_audience(value: object, audiences: Collection[str]) -> None:
    if value is None:
        raise MissingClaim("aud is missing", claim="aud")
    named = value if isinstance(value, list) else [value]
    if not named or not all_texts(named):
        raise InvalidClaim("aud is not a text or a list of texts", claim="aud", actual=shown(value))
    if not any(audience in named for audience in audiences):
        raise WrongAudience("the event is for another audience", expected=sorted(audiences), actual=shown(value))
