"""The URL under test, and the requests to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantgate.urls import HttpUrl, parse_http_url
from tenantgate_cli.bounded_http import LONGEST_URL, Response, send
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.ports import LOOPBACK_NAMES


@dataclass(frozen=True, slots=True)
class Target:
    """The API under test.

    base     scheme, host and port
    seconds  the time limit of a request, from the connection to the last byte
    token    an access token that the API accepts, or an empty text
    origin   the origin of a web app; empty for the API's own
    scoped   method and URL of a route that requires a scope which the token doesn't have, or None
    """

    base: str
    seconds: float
    token: str = field(default="", repr=False)
    origin: str = ""
    scoped: tuple[str, str] | None = None

    def send(self, method: str, path: str, *, token: str = "", headers: Mapping[str, str] | None = None) -> Response:
        """Send one request; `path` as it is written, percent-encoded. Raises NoResponse."""
        return self._send(method, self.base + path, token, headers or {})

    def send_scoped(self, *, token: str) -> Response:
        """Send the request of the scoped route, which may be of another API. Raises NoResponse."""
        assert self.scoped is not None  # noqa: S101  (the caller checked it)
        method, url = self.scoped
        return self._send(method, url, token, {})

    def _send(self, method: str, url: str, token: str, headers: Mapping[str, str]) -> Response:
        given = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        return send(method, url, headers=given, seconds=self.seconds)


def read_base(url: str) -> str:
    """Return the URL's scheme, host and port. Raises Failure for anything that isn't the address of an API."""
    parsed = _safe_url(url)
    if parsed.rest not in ("", "/"):
        raise Failure(f"{url} has a path", f"give only the address: tenantgate smoke {parsed.origin}")
    return parsed.origin


def read_scoped(text: str, base: str) -> tuple[str, str]:
    """Return method and URL of `GET /path` or `GET https://other.example.com/path`. Raises Failure."""
    method, _, place = text.strip().partition(" ")
    place = place.strip()
    if not method.isascii() or not method.isalpha() or not place:
        raise Failure(f"{text!r} isn't a method and a path", "--scoped 'GET /orders'")
    url = base + place if place.startswith("/") else place
    _safe_url(url)
    return method.upper(), url


def _safe_url(url: str) -> HttpUrl:
    parsed = parse_http_url(url, longest=LONGEST_URL)
    if parsed is None:
        raise Failure("the URL can't be read", "tenantgate smoke https://api.example.com")
    if parsed.scheme == "http" and parsed.host not in LOOPBACK_NAMES:
        raise Failure(
            f"{parsed.origin} has no TLS: everyone on the network could read the token",
            f"tenantgate smoke https://{parsed.host}",
        )
    return parsed
