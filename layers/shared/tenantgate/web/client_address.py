"""The address of the client, for rate limits, and its network, for the list of a person's own sessions.

Only the connection's other end is certain: in the container its peer, on AWS the source address in API Gateway's event.
If it is one of `TRUSTED_PROXIES`, the last address in `X-Forwarded-For` counts instead, and so on towards the left. The
client wrote all that is before the first address that isn't trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

from tenantgate.masking import network_of

# More proxies in a row than any deployment has. A client may send a longer header.
_MOST_PROXIES = 16
# Networks inside an organization, a host or a hosting platform: RFC 1918, 4193 and 6598, loopback and link-local.
_PRIVATE = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)

type Address = IPv4Address | IPv6Address


def client_network(request: Request, *, trusted_proxies: Sequence[str]) -> str | None:
    """Return the client's address without its last part: `203.0.113.0/24`, `2001:db8:1::/48`.

    This machine's own address is returned whole. None if it isn't known. `trusted_proxies`: networks in CIDR form.
    """
    address = client_address(request, trusted_proxies=trusted_proxies)
    return None if address is None else network_of(address)


def client_address(request: Request, *, trusted_proxies: Sequence[str]) -> Address | None:
    """Return the client's address; None if it isn't known. `trusted_proxies`: networks in CIDR form."""
    address = _address(_peer(request))
    networks = [ip_network(network) for network in trusted_proxies]
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).rsplit(",", _MOST_PROXIES)
    while address is not None and forwarded and any(address in network for network in networks):
        last = forwarded.pop().strip()
        if not last and not forwarded:
            # Without the header, the request began at the proxy itself.
            break
        address = _address(last)
    return address


def hides_clients(request: Request, *, trusted_proxies: Sequence[str]) -> bool:
    """Tell whether the peer is a proxy that isn't one of `trusted_proxies`, so that all its clients look like one.

    That is a peer in a private network that sends `X-Forwarded-For`, where no proxy is trusted. API Gateway always adds
    the header, and no proxy of a private network reaches it.
    """
    if trusted_proxies or "aws.event" in request.scope or "x-forwarded-for" not in request.headers:
        return False
    peer = _address(_peer(request))
    return peer is not None and any(peer in network for network in _PRIVATE)


def _peer(request: Request) -> str:
    event = request.scope.get("aws.event")
    if event is not None:
        return str(event["requestContext"]["http"].get("sourceIp"))
    return "" if request.client is None else request.client.host


def _address(text: str) -> Address | None:
    """Read an address. IPv4 inside IPv6 is IPv4: a server that listens on both sees clients in that form."""
    # A zone (`%eth0`) is only known to the machine that wrote it.
    if "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
