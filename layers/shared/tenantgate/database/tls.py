"""What `sslmode=verify-full` verifies a server against, so that the mode means the same wherever the process runs.

asyncpg by itself refuses the mode when it finds no file of authorities (`~/.postgresql/root.crt`). Managed databases
with a public certificate come without one, and a container's user without a home.
"""

from __future__ import annotations

import ssl
from functools import cache
from urllib.parse import parse_qs, urlsplit

from tenantgate.settings.environment import database_authorities

# What PostgreSQL 17 asks of clients that start with TLS (sslnegotiation=direct).
_ALPN = "postgresql"


def verified_tls(url: str, *, default: str = "") -> ssl.SSLContext | None:
    """The context for a connection to `url` where it says `sslmode=verify-full`. `default`: the mode when it says none.

    The authorities are those in the URL's `sslrootcert`, else in the file that `PGSSLROOTCERT` names, else (or with
    `sslrootcert=system`) the system's. None for every other mode: the driver does what those say.
    """
    query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    if query.get("sslmode", default) != "verify-full":
        return None
    authorities = query.get("sslrootcert") or database_authorities()
    return _context(
        None if authorities == "system" else authorities,
        query.get("sslcert"),
        query.get("sslkey"),
        query.get("sslpassword", ""),
    )


@cache
def _context(authorities: str | None, certificate: str | None, key: str | None, password: str) -> ssl.SSLContext:
    # Made once: reading the system's authorities takes longer than connecting.
    context = ssl.create_default_context(cafile=authorities)
    context.set_alpn_protocols([_ALPN])
    if certificate is not None:
        context.load_cert_chain(certificate, key, lambda: password)
    return context
