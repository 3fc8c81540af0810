"""The session cookie in an authorizer's event.

HTTP API, payload 2.0               `cookies`, a list of pairs; also the header, if an event has it
REST API (REQUEST), payload 1.0     the header `Cookie` in `headers` and `multiValueHeaders`
WebSocket API, `$connect`           the same
TOKEN, AppSync                      none: only the token reaches the authorizer
"""

from __future__ import annotations

from collections.abc import Iterator

from tenantgate.authorizer.events import APPSYNC, REST_TOKEN, AuthorizerCall
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.identity.session_cookie import session_secret


def secret_of(call: AuthorizerCall) -> str | None:
    """Return the session cookie's value; None without one, or if the request has an `Authorization` header.

    Only that header decides then, even if it is malformed. Raises `AuthenticationRequired` for a cookie that two
    readers could read in two ways.
    """
    if call.kind in (REST_TOKEN, APPSYNC) or _lines(call, "authorization"):
        return None
    several = _lines_of(call.event.get("multiValueHeaders"), "cookie")
    # A browser sends one line. A list has every line, the other member only the last.
    found = {session_secret(lines) for lines in (_listed(call), several, _lines_of(call.headers, "cookie")) if lines}
    secret = found.pop() if found else None
    if found or (secret is not None and len(several) > 1):
        raise AuthenticationRequired("the session cookie was sent more than once", header="cookie")
    return secret


def _listed(call: AuthorizerCall) -> list[str]:
    listed = call.event.get("cookies")
    return [pair for pair in listed if isinstance(pair, str)] if isinstance(listed, list) else []


def _lines(call: AuthorizerCall, name: str) -> list[str]:
    return _lines_of(call.headers, name) + _lines_of(call.event.get("multiValueHeaders"), name)


def _lines_of(headers: object, name: str) -> list[str]:
    return [*_texts(headers, name)] if isinstance(headers, dict) else []


def _texts(headers: dict[str, object], name: str) -> Iterator[str]:
    for key, value in headers.items():
        if key.lower() == name:
            for line in value if isinstance(value, list) else (value,):
                # Something that is not text is a header too, which must not count as absent.
                yield line if isinstance(line, str) else ""
