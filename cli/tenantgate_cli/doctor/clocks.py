"""Clock skew: this machine's clock against those of the provider, PostgreSQL and Valkey.

Tokens tolerate `JWT_LEEWAY_SECONDS`, the list of revocations one second.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from tenantgate.cache.connection import ValkeyConnection
from tenantgate.database.connection import Connection
from tenantgate.revoked.holder import CLOCK_DIFFERENCE_SECONDS
from tenantgate.tokens.discovery import well_known_url
from tenantgate_cli.bounded_http import NoResponse, send
from tenantgate_cli.doctor.cache import on_cache, server_time
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.doctor.database import on_database
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning

_SECONDS = 8.0
_FIX = "synchronize the clocks of both machines (chrony, systemd-timesyncd), or have the other side do it"


def provider_clock(of: Configuration) -> Finding:
    """Compare with the header `Date` (RFC 9110 §6.6.1) of the provider's metadata; it has whole seconds."""
    settings = of.settings
    url = settings.oidc_discovery_url or well_known_url(settings.oidc_issuer_url)
    before = time.time()
    try:
        date = send("GET", url, headers={}, seconds=_SECONDS).headers.get("date", "")
    except NoResponse as error:
        return failed(str(error), error.fix)
    middle = (before + time.time()) / 2
    try:
        # A header in whole seconds means the middle of its second.
        theirs = parsedate_to_datetime(date).timestamp() + 0.5
    except ValueError:
        return skipped("the provider sends no Date header")
    leeway = settings.token_policy.leeway_seconds
    return judged(theirs - middle, uncertain=middle - before + 0.5, leeway=leeway)


def database_clock(of: Configuration) -> Finding:
    """Compare with PostgreSQL's clock, by which sessions end."""
    url = of.settings.database_url
    if url is None:
        return skipped("DATABASE_URL is not set")
    leeway = of.settings.token_policy.leeway_seconds

    async def work(connection: Connection) -> Finding:
        before = time.time()
        theirs = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8"))
        took = time.time() - before
        return judged(theirs - before - took / 2, uncertain=took / 2, leeway=leeway, close=CLOCK_DIFFERENCE_SECONDS)

    return on_database(url, work)


def cache_clock(of: Configuration) -> Finding:
    """Compare with Valkey's clock, by which its keys expire."""
    leeway = of.settings.token_policy.leeway_seconds

    async def work(connection: ValkeyConnection) -> Finding:
        before = time.time()
        theirs = await server_time(connection)
        took = time.time() - before
        return judged(theirs - before - took / 2, uncertain=took / 2, leeway=leeway, close=CLOCK_DIFFERENCE_SECONDS)

    return on_cache(of, work)


def judged(skew: float, *, uncertain: float, leeway: int, close: float | None = None) -> Finding:
    """Return the finding for a skew in seconds, of which `uncertain` may come from the measurement.

    Beyond the leeway of tokens it is a failure; beyond half of it, or beyond `close`, a warning.
    """
    least = max(0.0, abs(skew) - uncertain)
    found = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine (±{uncertain:.1f} s)"
    # Without a leeway, a second is the finest that tokens have.
    if least > max(leeway, 1):
        return failed(f"{found}: more than JWT_LEEWAY_SECONDS={leeway}", _FIX)
    if least > (max(leeway, 1) / 2 if close is None else min(close, max(leeway, 1))):
        return warning(found, _FIX)
    return ok(found)
