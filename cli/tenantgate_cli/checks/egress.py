"""Check that the functions' network (`Egress` of infra/network.yaml) leads to the configured issuers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.discovery import endpoint, well_known_url
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.issuers import IssuerPolicy

type Egress = Literal["nat", "ipv6", "none"]
# Tells if a host has an IPv6 address; None if it has no address at all that is known here.
type HasIpv6 = Callable[[str], bool | None]
# Returns the metadata at a URL (OpenID Connect Discovery §4.2). Raises `ProviderUnreachable`.
type ReadMetadata = Callable[[str], Mapping[str, object]]

_SECONDS = 8.0
# infra/network.yaml lets the functions open connections to no other.
_PORT = 443
# The endpoints that functions call. Browsers go to the others.
_KEYS = ("jwks_uri",)
_SIGN_IN = ("token_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A way that the network doesn't have. `warning`: the rest works without it, or it can't be checked from here."""

    status: Literal["failed", "warning"]
    issuer: str
    problem: str
    remedy: str


def has_ipv6(host: str) -> bool | None:
    """Look the host up in the DNS."""
    try:
        found = socket.getaddrinfo(host, _PORT, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return any(family == socket.AF_INET6 for family, *_ in found)


def read_metadata(url: str) -> Mapping[str, object]:
    """Fetch the metadata from here, which may be another network than the functions'."""
    return fetch_json(url, timeout=_SECONDS)


def check_egress(
    egress: Egress,
    issuers: Sequence[IssuerPolicy],
    *,
    sign_in_issuer: str,
    proxy: str = "",
    has_ipv6: HasIpv6 = has_ipv6,
    read_metadata: ReadMetadata = read_metadata,
) -> list[Unreachable]:
    """Return what the functions of a network with this `Egress` can't reach, in the order of the issuers.

    `sign_in_issuer` is `OIDC_ISSUER_URL`, `proxy` is `HTTPS_PROXY`: then only the proxy must be reached.
    """
    if proxy and egress != "none":
        return list(_closed(egress, "HTTPS_PROXY", proxy, has_ipv6))
    found: list[Unreachable] = []
    for issuer in issuers:
        signs_in = issuer.issuer == sign_in_issuer
        if egress == "none":
            found += _without_a_way(issuer, signs_in)
            continue
        urls = _urls(issuer, signs_in, read_metadata)
        seen: set[str] = set()
        for url in urls:
            if isinstance(url, Unreachable):
                found.append(url)
            elif (place := urlsplit(url).netloc) not in seen:
                seen.add(place)
                found += _closed(egress, issuer.issuer, url, has_ipv6)
    return found


def _without_a_way(issuer: IssuerPolicy, signs_in: bool) -> Iterator[Unreachable]:
    name = issuer.issuer
    if issuer.jwks_file is None:
        yield Unreachable(
            "failed",
            name,
            "its keys can't be fetched with Egress none",
            "bundle them (tenantgate jwks bundle, jwks_file or OIDC_JWKS_FILE), or set Egress to nat",
        )
    elif not issuer.is_known_by_file_only:
        yield Unreachable(
            "warning",
            name,
            "its bundled keys are dropped JWKS_MAX_AGE_SECONDS after their fetch, and Egress none can't renew them",
            "deploy a new bundle sooner than that, or set Egress to nat",
        )
    if signs_in:
        yield Unreachable(
            "warning",
            name,
            "with Egress none no sign-in, refresh or sign-out reaches it: only tokens are verified",
            "set Egress to nat, or to ipv6 if the issuer has IPv6",
        )
    if issuer.event_poll_url is not None:
        yield Unreachable(
            "failed",
            name,
            "its security events can't be fetched with Egress none",
            "have the issuer push them (docs/SECURITY_EVENTS.md), or set Egress to nat",
        )


def _urls(issuer: IssuerPolicy, signs_in: bool, read: ReadMetadata) -> Iterator[str | Unreachable]:
    """Yield the URLs of the issuer that functions call, as far as they are known here."""
    if issuer.jwks_uri is not None:
        yield issuer.jwks_uri
    if issuer.event_poll_url is not None:
        yield issuer.event_poll_url
    if issuer.discovery_url == "" or (issuer.jwks_uri is not None and not signs_in):
        return
    url = issuer.discovery_url or well_known_url(issuer.issuer)
    yield url
    try:
        metadata = read(url)
        found = [endpoint(metadata, name, source=url) for name in (*_KEYS, *(_SIGN_IN if signs_in else ()))]
    except ProviderUnreachable:
        yield Unreachable(
            "warning",
            issuer.issuer,
            f"its endpoints are not known here: {url} has no valid metadata for this machine",
            "run the check on a machine that reaches the issuer",
        )
        return
    yield from (each for each in found if each is not None)


def _closed(egress: Egress, name: str, url: str, has_ipv6: HasIpv6) -> Iterator[Unreachable]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else _PORT)
    if port != _PORT:
        yield Unreachable(
            "failed",
            name,
            f"{host} has port {port}, and the network lets functions connect only to port {_PORT}",
            "use port 443, or add the port to FunctionSecurityGroup in infra/network.yaml",
        )
    if egress != "ipv6":
        return
    known = has_ipv6(host)
    if known is None:
        yield Unreachable(
            "warning",
            name,
            f"{host} has no address in this machine's DNS, so it is not known if it has IPv6",
            "run the check on a machine that knows the name",
        )
    elif not known:
        yield Unreachable(
            "failed",
            name,
            f"{host} has no IPv6 address, and Egress ipv6 leads only to such hosts",
            "set Egress to nat",
        )
