"""An absolute http or https URL in the one form that every parser reads alike.

A parser that is more lenient than the browser's is how open redirects come about. So a URL is never repaired: it is
made of RFC 3986's characters alone (no backslash, blank or control), without user info, with a host of letters, digits,
dots and hyphens (or a bracketed address) that ends at the first `/`, `?` or `#`; or it is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65535
# RFC 3986 §2: what every reader takes as it stands.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?#].*)?\Z",
    re.IGNORECASE,
)

# RFC 3986 §3.2: no user info; no escapes, which no registered name has.
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9._~-]+)(?::(?P<port>[0-9]{1,5})?)?")


class Origin(NamedTuple):
    """Scheme, host (lower-cased, an IPv6 address in brackets) and effective port; compared as a whole (RFC 6454 §5)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Serialized, without a default port (RFC 6454 §6.1)."""
        shown = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{shown}"


class HttpUrl(NamedTuple):
    """`rest`: path, query and fragment as they were written; may be empty."""

    origin: Origin
    rest: str

    @property
    def has_fragment(self) -> bool:
        return "#" in self.rest


def parse_http_url(text: str, *, longest: int) -> HttpUrl | None:
    """None for what is longer than `longest` characters or not of that form."""
    if not is_plain(text, longest=longest) or (match := _URL.match(text)) is None:
        return None
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    if port > _LARGEST_PORT:
        return None
    return HttpUrl(Origin(scheme, match["host"].lower(), port), match["rest"] or "")


def is_plain(text: str, *, longest: int) -> bool:
    """Whether it is made of the characters of RFC 3986 alone, and neither empty nor longer than `longest`."""
    return len(text) <= longest and _PLAIN.match(text) is not None


def is_host(text: str) -> bool:
    """Whether `text` is a host, with or without a port, as the header `Host` has it (RFC 9110 §7.2)."""
    match = _HOST.fullmatch(text)
    if match is None or int(match["port"] or 0) > _LARGEST_PORT:
        return False
    if match["address"] is None:
        return True
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415  (rare)

    try:
        IPv6Address(match["address"])
    except AddressValueError:
        return False
    return True
