"""The one definition of an http or https URL, its origin, a loopback host and an endpoint's URL.

A parser that is more lenient than the browser's causes open redirects. So a URL is never repaired: it consists of
RFC 3986's characters (no backslash, blank or control character), without user info, with a host of letters, digits,
dots and hyphens (or a bracketed address) that ends at the first `/`, `?` or `#`. Anything else is rejected.

Without `urllib.parse`, `re` and `ipaddress`: the authorizer reads its settings at every cold start.
"""

from __future__ import annotations

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65535
_LONGEST_HOST = 253
_LONGEST_LABEL = 63
_LONGEST_ENDPOINT = 2048
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
_HOST_CHARACTERS = frozenset(_UNRESERVED + ".")
_ADDRESS_CHARACTERS = frozenset("ABCDEFabcdef0123456789:.")
# RFC 3986 §2: characters that every parser reads the same way.
_URL_CHARACTERS = frozenset(_UNRESERVED + "._~:/?#[]@!$&'()*+,;=%")
# A fragment is never sent, and brackets belong to addresses.
_ENDPOINT_CHARACTERS = _URL_CHARACTERS - frozenset("#[]")
# RFC 3986 §3.2.2: a registered name. No escapes, which no host name has.
_NAME_CHARACTERS = frozenset(_UNRESERVED + "._~")


class HttpUrl:
    """A parsed URL.

    `scheme` and `host` are in lower case, an IPv6 address in brackets; `port` is the effective one; `rest` is path,
    query and fragment as written, and may be empty.
    """

    __slots__ = ("host", "port", "rest", "scheme")

    def __init__(self, scheme: str, host: str, port: int, rest: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.rest = rest

    @property
    def origin(self) -> str:
        """Scheme, host and port in the serialized form (RFC 6454 §6.1): equal texts are equal origins (§5)."""
        shown = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{shown}"

    @property
    def has_fragment(self) -> bool:
        return "#" in self.rest


def parse_http_url(text: str, *, longest: int) -> HttpUrl | None:
    """Parse a URL of at most `longest` characters; None for any other text."""
    if not is_plain(text, longest=longest):
        return None
    scheme, separator, after = text.partition("://")
    authority = after.partition("/")[0].partition("?")[0].partition("#")[0]
    scheme = scheme.lower()
    default = _DEFAULT_PORTS.get(scheme)
    split = _host_and_port(authority)
    if not separator or default is None or split is None:
        return None
    host, written = split
    port = default if written is None else _port(written)
    if port is None or not _is_host(host):
        return None
    return HttpUrl(scheme, host.lower(), port, after[len(authority) :])


def is_endpoint_url(url: object, *, loopback_http: bool) -> bool:
    """Tell whether requests may be sent to this URL: https, a host name or a loopback address, and no fragment.

    `http` counts only with `loopback_http`, and for a loopback host. The scheme is in lower case, so that no reader
    takes it for another one. At most 2,048 characters.
    """
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        return False
    parsed = parse_http_url(url, longest=_LONGEST_ENDPOINT)
    if parsed is None or not _ENDPOINT_CHARACTERS.issuperset(parsed.rest):
        return False
    loopback = is_loopback(parsed.host)
    if parsed.host.startswith("[") and not loopback:
        return False
    return parsed.scheme == "https" or (loopback_http and loopback)


def is_loopback_url(url: str) -> bool:
    """Tell whether the URL's host is this machine."""
    parsed = parse_http_url(url, longest=_LONGEST_ENDPOINT)
    return parsed is not None and is_loopback(parsed.host)


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine: `localhost`, 127.0.0.0/8 (RFC 1122 §3.2.1.3) or ::1 (RFC 4291 §2.5.3).

    In the form in which URLs and connection settings write it; ::1 with or without brackets.
    """
    if host is None:
        return False
    if host in ("localhost", "::1", "[::1]"):
        return True
    octets = host.split(".")
    return len(octets) == 4 and octets[0] == "127" and all(map(_is_octet, octets))


def is_plain(text: str, *, longest: int) -> bool:
    """Tell whether a text has 1 to `longest` characters, all of them RFC 3986's."""
    return 0 < len(text) <= longest and _URL_CHARACTERS.issuperset(text)


def is_host(text: str) -> bool:
    """Tell whether a text is a host, with or without a port, as the header `Host` has it (RFC 9110 §7.2)."""
    split = _host_and_port(text)
    if split is None:
        return False
    host, port = split
    # RFC 3986 §3.2.3: the port may be empty.
    if port and (_port(port, least=0) is None):
        return False
    if not host.startswith("["):
        return host != "" and _NAME_CHARACTERS.issuperset(host)
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415  (rare)

    try:
        IPv6Address(host[1:-1])
    except AddressValueError:
        return False
    return _ADDRESS_CHARACTERS.issuperset(host[1:-1])


def _host_and_port(authority: str) -> tuple[str, str | None] | None:
    if authority.startswith("["):
        address, bracket, after = authority.partition("]")
        if not bracket or (after and not after.startswith(":")):
            return None
        return address + bracket, after[1:] if after else None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _port(text: str, *, least: int = 1) -> int | None:
    if len(text) <= 5 and text.isascii() and text.isdigit() and least <= int(text) <= _LARGEST_PORT:
        return int(text)
    return None


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return len(host) > 2 and _ADDRESS_CHARACTERS.issuperset(host[1:-1])
    return (
        0 < len(host) <= _LONGEST_HOST
        and _HOST_CHARACTERS.issuperset(host)
        and all(0 < len(label) <= _LONGEST_LABEL and label[0] != "-" != label[-1] for label in host.split("."))
    )


def _is_octet(text: str) -> bool:
    # One spelling only: some parsers take a leading zero for an octal number.
    return text.isascii() and text.isdigit() and len(text) <= 3 and str(int(text)) == text and int(text) < 256
