"""The cookies of Tenantgate: their names and the attributes that every one of them carries (RFC 6265bis §4.1).

The `__Host-` prefix binds a cookie to exactly this host, to `Path=/` and to a secure connection, so that neither a
sibling subdomain nor a plain-text page can plant one.
"""

from __future__ import annotations

import re
from typing import Protocol

from starlette.datastructures import MutableHeaders

SESSION_COOKIE = "__Host-tg_session"

# cookie-octet of RFC 6265 §4.1.1: nothing that could end the value and begin an attribute.
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*\Z")
_LONGEST = 3800


class HasHeaders(Protocol):
    @property
    def headers(self) -> MutableHeaders: ...


def set_cookie(response: HasHeaders, name: str, value: str, *, max_age: int) -> None:
    """Append `Set-Cookie`; `max_age` in seconds. Raises ValueError for a value that no cookie may hold or that is
    longer than browsers keep."""
    if not _COOKIE_VALUE.match(value) or len(name) + len(value) > _LONGEST:
        raise ValueError(f"the value of cookie {name} can't be sent")
    response.headers.append("set-cookie", f"{name}={value}; Max-Age={max_age}; {_ATTRIBUTES}")


def clear_cookie(response: HasHeaders, name: str) -> None:
    """Append the `Set-Cookie` that makes the browser forget `name`; its attributes must equal those of the setting."""
    response.headers.append("set-cookie", f"{name}=; Max-Age=0; {_ATTRIBUTES}")


_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
