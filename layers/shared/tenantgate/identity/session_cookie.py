"""The session cookie in a request's `Cookie` header, read so that no two readers could find different ones.

A browser sends the cookie once, with exactly this name. Anything else was planted or changed: a page on a sibling
subdomain can set cookies for the whole domain, with a name in other letters or with the same name twice
(RFC 6265 §5.4). The first or the last of them would be a guess, and the wrong one is the attacker's session.
"""

from __future__ import annotations

from collections.abc import Iterable

from tenantgate.errors.access import AuthenticationRequired

# `__Host-` binds the cookie to exactly this host (RFC 6265bis §4.1.3.2).
SESSION_COOKIE = "__Host-tg_session"

_FOLDED = SESSION_COOKIE.lower()
# Name and value: browsers store no more.
_LONGEST = 4096


def session_secret(lines: Iterable[str]) -> str | None:
    """Return the value of the session cookie in these `Cookie` header lines; None if its name is not there.

    Raises `AuthenticationRequired` if the name is there more than once, in other letters, or in a place or form in
    which browsers send no cookie.
    """
    written = [line for line in lines if _FOLDED in line.lower()]
    if not written:
        return None
    line = ";".join(written)
    if line.lower().count(_FOLDED) > 1:
        raise AuthenticationRequired("the session cookie was sent more than once", header="cookie")
    pairs = (pair.removeprefix(" ") for pair in line.split(";"))
    pair = next(pair for pair in pairs if _FOLDED in pair.lower())
    name, equals, value = pair.partition("=")
    if len(pair) > _LONGEST:
        raise AuthenticationRequired("the session cookie is too long", header="cookie")
    if name + equals != f"{SESSION_COOKIE}=" or not (value.isascii() and value.isprintable()):
        raise AuthenticationRequired("the session cookie is malformed", header="cookie")
    return value
