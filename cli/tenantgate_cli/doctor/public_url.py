"""The API's public address."""

from __future__ import annotations

from tenantgate_cli.bounded_http import NoResponse, member, send
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, skipped

_SECONDS = 15.0
_LIVE = "/api/v1/health/live"


def public_url(of: Configuration) -> Finding:
    """Ask the address for its liveness, as the provider's redirects reach it."""
    base = of.settings.public_base_url
    if not base:
        return skipped("PUBLIC_BASE_URL is not set: API Gateway's own address is used")
    try:
        response = send("GET", f"{base}{_LIVE}", headers={}, seconds=_SECONDS)
    except NoResponse as error:
        return failed(
            f"{base}: {error}", "check PUBLIC_BASE_URL, its DNS record and certificate, and that the API runs"
        )
    if response.status != 200 or member(response.body, "status") != "ok":
        fix = "point PUBLIC_BASE_URL at this API, without a path; tenantgate smoke tests it from outside"
        return failed(f"{base}{_LIVE} returned {response.shown()}", fix)
    return ok(f"{base} responds")
