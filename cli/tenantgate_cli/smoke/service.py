"""Liveness, readiness, the start of a sign-in, and the security headers."""

from __future__ import annotations

import time

from tenantgate.urls import parse_http_url
from tenantgate_cli.bounded_http import is_loopback, member
from tenantgate_cli.outcomes import Finding, failed, ok, warning
from tenantgate_cli.smoke.target import Target

LIVE = "/api/v1/health/live"
_READY = "/api/v1/health/ready"
_LOGIN = "/api/v1/auth/login"
_PAUSE_SECONDS = 0.5
# Header and a text that its value contains, both in lower case.
_REQUIRED = {
    "strict-transport-security": "max-age=",
    "x-content-type-options": "nosniff",
    "x-frame-options": "deny",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'",
    "cache-control": "no-store",
    "x-request-id": "",
}


def live(target: Target) -> Finding:
    """Check that the API responds at all."""
    response = target.send("GET", LIVE)
    if response.status != 200 or member(response.body, "status") != "ok":
        return failed(f"{LIVE} returned {response.shown()}", "check that the URL is that of the API, without a path")
    return ok("200")


def ready(target: Target) -> Finding:
    """Check that the API's readiness checks pass, repeatedly for a while: a cold start exceeds their limit."""
    ends = time.monotonic() + target.seconds
    while (response := target.send("GET", _READY)).status == 503 and time.monotonic() < ends:
        time.sleep(_PAUSE_SECONDS)
    if response.status == 503:
        checks = member(member(member(response.body, "error"), "detail"), "checks")
        return failed(f"503: {_named(checks, 'failed') or response.code}", "tenantgate doctor, with the API's settings")
    if response.status != 200:
        return failed(f"{_READY} returned {response.shown()}", "read the log of the health function")
    checks = member(response.body, "checks")
    if unsound := _named(checks, "warning"):
        return warning(f"200, with warnings: {unsound}", "docs/OPERATIONS.md, Check readiness, explains each of them")
    return ok(f"200: {len(checks) if isinstance(checks, dict) else 0} checks passed")


def sign_in(target: Target) -> Finding:
    """Start a sign-in: the API has its client id and its keys, and can read the provider's metadata."""
    response = target.send("GET", _LOGIN)
    url = member(response.body, "authorization_url")
    if response.status != 200 or not isinstance(url, str):
        fix = "check OIDC_ISSUER_URL, OIDC_CLIENT_ID and the secret; the log of the login function has the reason"
        return failed(f"{_LOGIN} returned {response.shown()}", fix)
    parsed = parse_http_url(url, longest=8192)
    if parsed is None or (parsed.scheme != "https" and not is_loopback(url)):
        return failed("the provider's sign-in page has no https URL", "set OIDC_ISSUER_URL to the provider's https URL")
    return ok(f"a sign-in starts at {parsed.origin}")


def headers(target: Target) -> Finding:
    """Check the headers that each response of the functions has."""
    found = target.send("GET", LIVE).headers
    missing = [name for name, text in _REQUIRED.items() if text not in found.get(name, "\0").lower()]
    if missing:
        return failed(f"missing or weakened: {', '.join(missing)}", "let the front pass these headers unchanged")
    return ok(f"{len(_REQUIRED)} headers are set")


def _named(checks: object, status: str) -> str:
    if not isinstance(checks, dict):
        return ""
    return ", ".join(f"{name} {value}" for name, value in checks.items() if value == status)
