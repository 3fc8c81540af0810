"""The proxy that every outward call goes through: `HTTPS_PROXY` and `NO_PROXY`, as boto3 reads them.

The lower-case names take precedence, and an empty `https_proxy` means no proxy. Calls over https go through a tunnel
(CONNECT, RFC 9110 §9.3.6), so the proxy sees only host and port; loopback is never proxied. Imported only for a fetch,
or to check a variable that is set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import unquote

from tenantgate.tokens.records import Record
from tenantgate.urls import is_loopback

FORM = "http://[user:password@]host[:port]"
_NAMES = ("https_proxy", "HTTPS_PROXY")
_DEFAULT_PORT = 80
_HOST_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_ADDRESS_CHARACTERS = frozenset("ABCDEFabcdef0123456789:.")


class MalformedProxy(ValueError):
    """`variable` holds no proxy; the text is the allowed form, never the value, which may hold a password."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"set {variable} to {FORM}, or leave it out")
        self.variable = variable


class Proxy(Record):
    """A proxy. `user` and `password` are decoded; `user` is None for a proxy without both."""

    __slots__ = ()

    host: str
    port: int
    user: str | None
    password: str

    @property
    def url(self) -> str:
        """The URL without user and password."""
        return f"http://{self.host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization` (RFC 7617)."""
        if self.user is None:
            return None
        from base64 import b64encode  # noqa: PLC0415

        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


def proxy_for(authority: str, environ: Mapping[str, str] | None = None) -> Proxy | None:
    """Return the proxy for `https://<authority>`, None for a direct connection. Raises `MalformedProxy`."""
    values = os.environ if environ is None else environ
    proxy = configured_proxy(values)
    return None if proxy is None or _is_direct(authority.lower(), values) else proxy


def configured_proxy(values: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that these variables name, if any. Raises `MalformedProxy`."""
    name = next((name for name in _NAMES if name in values), None)
    if name is None or not values[name].strip():
        return None
    return _parsed(name, values[name].strip())


def _parsed(name: str, text: str) -> Proxy:
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    user_info, _, place = rest.removesuffix("/").rpartition("@")
    user, _, password = user_info.partition(":")
    host, port = _host_and_port(place)
    is_host = _ADDRESS_CHARACTERS.issuperset(host[1:-1]) if host[:1] == "[" else _HOST_CHARACTERS.issuperset(host)
    if (
        scheme.lower() != "http"
        or not host.strip("[].")
        or not is_host
        or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536)
        or not unquote(user_info).isprintable()
        or ":" in unquote(user)
        or (user_info and not user)
    ):
        raise MalformedProxy(name)
    return Proxy(host, int(port), unquote(user) if user_info else None, unquote(password))


def _host_and_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, bracket, after = place.partition("]")
        return (host + bracket, after.removeprefix(":") or str(_DEFAULT_PORT)) if bracket else ("", "")
    host, colon, port = place.partition(":")
    return host, port if colon else str(_DEFAULT_PORT)


def _is_direct(authority: str, values: Mapping[str, str]) -> bool:
    host = authority.partition("]")[0] + "]" if authority.startswith("[") else authority.partition(":")[0]
    if is_loopback(host):
        return True
    exceptions = values.get("no_proxy", values.get("NO_PROXY", ""))
    if exceptions.strip() == "*":
        return True
    for exception in exceptions.split(","):
        name = exception.strip().lower().lstrip(".")
        # A name means the host itself and its subdomains, on every port unless it has one.
        if name and any(asked == name or asked.endswith("." + name) for asked in (host, authority)):
            return True
    return False
