"""Where a browser may be sent: parsed origins, compared exactly (RFC 6454 §5, OWASP "Unvalidated Redirects").

A URL parser that is more lenient than the browser's is how open redirects come about. So a target is not repaired, it
is matched against a form in which every parser agrees, and refused otherwise: the characters of RFC 3986 alone (no
backslash), no user info, a host of letters, digits, dots and hyphens (or a bracketed address) that ends at the first
`/`, `?` or `#`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from tenantgate.errors import RedirectNotAllowed

# Transactions travel in cookies of 4096 bytes at most, several of them in one request.
MAX_TARGET_LENGTH = 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")  # RFC 3986 §2: no space, quote, backslash, control
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?#].*)?\Z",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DECODING_ROUNDS = 4

type Origin = tuple[str, str, int]


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an absolute http(s) URL in the strict form above, else None."""
    match = _match(url)
    if match is None:
        return None
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    return (scheme, match["host"].lower(), port)


class RedirectPolicy:
    """Decides on targets by the allowed origins and our own.

    `public_base_url`: where this API is reached; its origin is always allowed. `allowed_origins`: validated by the
    settings.
    """

    def __init__(self, *, allowed_origins: Iterable[str], public_base_url: str) -> None:
        self._origins = frozenset(
            origin for url in (*allowed_origins, public_base_url) if (origin := origin_of(url)) is not None
        )
        self.default_logout_target = f"{public_base_url}/"

    def require_redirect_uri(self, url: str) -> str:
        """A `redirect_uri` of an allowed origin, without a fragment (RFC 6749 §3.1.2); raises `RedirectNotAllowed`."""
        return self._require_url(url, parameter="redirect_uri")

    def require_return_to(self, target: str) -> str:
        """A path on our own origin, or a URL of an allowed origin; raises `RedirectNotAllowed`."""
        if not target.startswith("/"):
            return self._require_url(target, parameter="return_to", fragment=True)
        if not _is_safe_path(target):
            raise _refused("return_to", "it is not a plain path")
        return target

    def _require_url(self, url: str, *, parameter: str, fragment: bool = False) -> str:
        match = _match(url)
        if match is None:
            raise _refused(parameter, "it is not a plain http or https URL")
        if origin_of(url) not in self._origins:
            raise _refused(parameter, "its origin is not allowed")
        if "#" in url and not fragment:
            raise _refused(parameter, "it has a fragment")
        rest = match["rest"] or "/"
        if rest.startswith("/") and not _is_safe_path(rest):
            raise _refused(parameter, "its path is not plain")
        return url


def _match(url: str) -> re.Match[str] | None:
    if len(url) > MAX_TARGET_LENGTH or not _PLAIN.match(url):
        return None
    return _URL.match(url)


def _is_safe_path(target: str) -> bool:
    # `//host` and `/\host` leave the origin; written in percent-encodings they do so behind whatever decodes the path
    # once more, so every decoding of the path is held to the same form.
    if len(target) > MAX_TARGET_LENGTH or not _PLAIN.match(target):
        return False
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    for _ in range(_DECODING_ROUNDS):
        if "//" in path or "\\" in path or _CONTROL.search(path):
            return False
        decoded = unquote(path)
        if decoded == path:
            return True
        path = decoded
    return False


def _refused(parameter: str, reason: str) -> RedirectNotAllowed:
    return RedirectNotAllowed(f"{parameter}: {reason}", detail=f"{parameter}: {reason}")
