"""The preflight of a web app (Fetch standard, CORS protocol)."""

from __future__ import annotations

from tenantgate_cli.bounded_http import Response
from tenantgate_cli.outcomes import Finding, failed, ok, warning
from tenantgate_cli.smoke.credentials import ME
from tenantgate_cli.smoke.target import Target

# RFC 2606 §2: no web app has this origin.
_FOREIGN = "https://smoke.invalid"


def preflight(target: Target) -> Finding:
    """Ask for the web app's origin, which may use the API, and for a foreign one, which must not."""
    foreign = _ask(target, _FOREIGN)
    if foreign.headers.get("access-control-allow-origin") in (_FOREIGN, "*"):
        return failed("a foreign origin may use the API", "set ALLOWED_ORIGINS to the origins of your web apps only")
    origin = target.origin or target.base
    response = _ask(target, origin)
    if response.status not in (200, 204):
        return failed(f"the preflight returned {response.shown()}", "check the CORS configuration of the API")
    headers = response.headers
    if headers.get("access-control-allow-origin") != origin:
        if not target.origin:
            return warning(f"{origin} is not an allowed origin", "name an origin of ALLOWED_ORIGINS: --origin ORIGIN")
        return failed(f"{origin} is not an allowed origin", "add it to ALLOWED_ORIGINS")
    allowed = headers.get("access-control-allow-headers", "").lower().replace(" ", "").split(",")
    if headers.get("access-control-allow-credentials") != "true" or "authorization" not in allowed:
        return failed(
            "the preflight allows no cookies or no Authorization header",
            "deploy the template's CorsConfiguration unchanged",
        )
    return ok(f"{response.status} for {origin}, nothing for a foreign origin")


def _ask(target: Target, origin: str) -> Response:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    return target.send("OPTIONS", ME, headers={"Origin": origin, **asked})
