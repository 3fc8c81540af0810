"""The claims of a token: read those that providers shape differently, and check those that all kinds of token have.

A configured name first means the claim of exactly that name. Otherwise it is a path: its dots lead into objects. If
several beginnings of the name are claims, the longest counts: `https://example.com/claims.roles` is the member `roles`
of the claim `https://example.com/claims`. Within an object, the step `*` is its only member under any name, as in
Keycloak's `organization.*.id`. `null` counts as absent everywhere. Providers invented these forms; no specification has
them.

Each check raises its own error with expected and actual values (RFC 7519 §4.1). Times may have fractions (RFC 7519 §2),
texts are printable. Every verification runs through these functions, so they are kept flat, and other functions build
their errors.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors.tokens import (
    InvalidClaim,
    IssuedInFuture,
    LifetimeTooLong,
    MissingClaim,
    NotYetValid,
    TokenError,
    TokenExpired,
)
from tenantgate.tokens.records import Record, record_of

type Claims = Mapping[str, object]

# RFC 8259 §6 leaves the precision of larger numbers to the reader.
_LARGEST_NUMBER = (1 << 63) - 1


class VerifiedToken(Record):
    """A token that passed every check. Times are whole epoch seconds; `claims` is read-only and as it was signed.

    `scopes` are those that the issuer may give. `kid`: of the key that signed it, if the key has one.
    """

    __slots__ = ()

    issuer: str
    subject: str
    issued_at: int
    expires_at: int
    scopes: frozenset[str]
    claims: Claims
    token_id: str | None = None
    kid: str | None = None


def verified_token(  # noqa: PLR0917 - by position, since names would take longer
    issuer: str,
    subject: str,
    issued_at: int,
    expires_at: int,
    scopes: frozenset[str],
    claims: Claims,
    token_id: str | None,
    kid: str | None,
) -> VerifiedToken:
    """Make a `VerifiedToken`. Its constructor would take a fiftieth of the signature's time longer."""
    return record_of(VerifiedToken, (issuer, subject, issued_at, expires_at, scopes, claims, token_id, kid))


class _Several:
    """The result of the step `*` in an object of several members: a value that fits no claim."""


_SEVERAL = _Several()


def find(claims: Claims, name: str) -> object:
    """Return the value under this name, or at the end of this path; None without one."""
    value = claims.get(name)
    return _at_path(claims, name) if value is None and "." in name else value


def _at_path(members: Mapping[str, object], name: str) -> object:
    end = name.rfind(".")
    while end > 0:
        value = members.get(name[:end])
        if value is not None:
            # The longest beginning decides: if it isn't an object, no shorter one is tried.
            return _inside(value, name[end + 1 :]) if isinstance(value, Mapping) else None
        end = name.rfind(".", 0, end)
    return None


def _inside(members: Mapping[str, object], path: str) -> object:
    if path != "*" and not path.startswith("*."):
        return find(members, path)
    if len(members) > 1:
        return _SEVERAL
    value = next(iter(members.values()), None)
    if len(path) == 1:
        return value
    return _inside(value, path[2:]) if isinstance(value, Mapping) else None


def one_text(value: object) -> str | None:
    """Read a claim with one value: a text, a whole number, or a list of exactly one of these. None for other forms.

    A number is written in decimal digits. Booleans and fractions don't count: 1, 1.0 and true must not be one tenant.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and 0 <= value <= _LARGEST_NUMBER else None


def only_name(value: object) -> str | None:
    """Read Keycloak's claim `organization` in its form as an object: the name of its only member, itself an object."""
    if isinstance(value, Mapping) and len(value) == 1:
        name, inner = next(iter(value.items()))
        return name if isinstance(inner, Mapping) else None
    return None


def texts_in(value: object) -> list[str]:
    """Read a claim with any number of values: one, or a list of texts and whole numbers. Other forms have no value."""
    items = value if isinstance(value, list) else (value,)
    return [text for item in items if not isinstance(item, list) and (text := one_text(item))]


# 9999-12-31T23:59:59Z: beyond it, dates can't be written any more.
_LAST_SECOND = 253402300799
LONGEST_TEXT = 256


def shown(value: object) -> object:
    """Return a claim's value in a form for logs: short texts and numbers unchanged, of other values only the type."""
    if isinstance(value, str):
        return value if len(value) <= 120 else f"{value[:120]}..."
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    if isinstance(value, list) and len(value) <= 8 and all(isinstance(item, str) for item in value):
        return [shown(item) for item in value]
    return type(value).__name__


def check_times(claims: Claims, now: float, leeway: int, longest: int | None = None) -> tuple[int, int, float]:
    """Check `iat`, `exp` and `nbf`. Return the first two in whole seconds, and when the token becomes valid.

    `iat` and `exp` are required, and at most `longest` seconds apart; `nbf` counts when present. The leeway is taken
    off the returned start. `check_expiry` tells whether the token has expired, so that all else can be checked before.
    """
    issued: object = claims.get("iat")
    expires: object = claims.get("exp")
    # `type(...) is int`: True is an instance of int, and would be a second of 1970.
    if type(issued) is int and 0 <= issued <= _LAST_SECOND:
        issued_at = issued
    else:
        issued = _with_fraction(claims, "iat")
        issued_at = int(issued)
    if type(expires) is int and 0 <= expires <= _LAST_SECOND:
        expires_at = expires
    else:
        expires = _with_fraction(claims, "exp")
        # Rounded down, so that no token lives longer than it says.
        expires_at = int(expires)
    latest = now + leeway
    if issued > latest:
        raise IssuedInFuture("iat is in the future", expected=f"at most {int(now)} + {leeway}", actual=issued)
    if expires <= issued:
        raise InvalidClaim("exp is not after iat", claim="exp", expected=f"after {issued}", actual=expires)
    if longest is not None and expires - issued > longest:
        raise LifetimeTooLong("token lives too long", expected=f"at most {longest} s", actual=expires - issued)
    not_before: object = claims.get("nbf")
    if not_before is None:
        return issued_at, expires_at, issued - leeway
    if type(not_before) is not int or not 0 <= not_before <= _LAST_SECOND:
        not_before = _with_fraction(claims, "nbf")
    if not_before > latest:
        raise NotYetValid("nbf is in the future", expected=f"at most {int(now)} + {leeway}", actual=not_before)
    return issued_at, expires_at, max(issued, not_before) - leeway


def _with_fraction(claims: Claims, name: str) -> float:
    """Read a NumericDate with a fraction (RFC 7519 §2): finite, and before the year 10000."""
    value = claims.get(name)
    if type(value) is float and 0 <= value <= _LAST_SECOND:
        return value
    if value is None:
        raise MissingClaim(f"{name} is missing", claim=name)
    raise InvalidClaim(f"{name} is not a number of seconds", claim=name, actual=shown(value))


def check_expiry(expires_at: int, now: float, leeway: int) -> None:
    if now >= expires_at + leeway:
        raise TokenExpired("token has expired", expected=f"before {expires_at} + {leeway}", actual=int(now))


def required_text(claims: Claims, name: str) -> str:
    """Return a required claim of 1 to 256 printable characters."""
    value = claims.get(name)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable():
        return value
    raise no_text(name, value)


def no_text(name: str, value: object) -> TokenError:
    if value is None:
        return MissingClaim(f"{name} is missing", claim=name)
    return InvalidClaim(f"{name} is not a printable text of at most 256 characters", claim=name, actual=shown(value))


def all_texts(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)
