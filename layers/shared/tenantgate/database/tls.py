"""The certificate authorities of `sslmode=verify-full`: the same on every platform.

asyncpg rejects the mode if it finds no file of authorities (`~/.postgresql/root.crt`). Managed databases with a public
certificate come without such a file, and a container's user without a home directory.
"""

from __future__ import annotations

import ssl
from functools import cache
from urllib.parse import parse_qs, urlsplit

from tenantgate.database.rds_authorities import rds_authorities
from tenantgate.settings.environment import database_authorities

# Required by PostgreSQL 17 of clients that start with TLS (sslnegotiation=direct).
_ALPN = "postgresql"


def verified_tls(url: str, *, default: str = "") -> ssl.SSLContext | None:
    """Return the TLS context of a URL with `sslmode=verify-full`; None for any other mode, which the driver handles.

    `default` is the mode of a URL without one. The authorities are those of the URL's `sslrootcert`, or else of the
    file in `PGSSLROOTCERT`, or else those of RDS for its endpoints. Otherwise, and with `sslrootcert=system`, they are
    the system's.
    """
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if query.get("sslmode", default) != "verify-full":
        return None
    authorities = query.get("sslrootcert") or database_authorities()
    return _context(
        None if authorities == "system" else authorities,
        None if authorities else rds_authorities(parts.hostname),
        query.get("sslcert"),
        query.get("sslkey"),
        query.get("sslpassword", ""),
    )


@cache
def _context(
    authorities: str | None, of_rds: str | None, certificate: str | None, key: str | None, password: str
) -> ssl.SSLContext:
    # Created once: reading the system's authorities takes longer than connecting.
    context = ssl.create_default_context(cafile=authorities, cadata=of_rds)
    context.set_alpn_protocols([_ALPN])
    if certificate is not None:
        context.load_cert_chain(certificate, key, lambda: password)
    return context
