"""Check that the OpenID provider can be reached."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit


def discovery_problem(issuer: str) -> str:
    """Fetch the issuer's discovery document. Return the problem with it, or an empty string."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    # No proxy, as in the functions.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as response:
            found = json.load(response).get("issuer")
    except urllib.error.HTTPError as error:
        return f"{url} returns {error.code}"
    except (OSError, ValueError, AttributeError) as error:
        if isinstance(getattr(error, "reason", error), socket.gaierror):
            host = urlsplit(issuer).hostname
            return (
                f"the host of OIDC_ISSUER_URL, {host}, can't be resolved: check its spelling, and that this machine is "
                "connected to the network"
            )
        return f"{url}: {getattr(error, 'reason', error)}"
    return "" if found == issuer else f"{url} has the issuer {found}, but OIDC_ISSUER_URL is {issuer}"
