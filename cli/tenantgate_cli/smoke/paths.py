"""Paths and methods without a route, and encoded paths."""

from __future__ import annotations

from tenantgate_cli.outcomes import Finding, failed, ok
from tenantgate_cli.smoke.credentials import ME
from tenantgate_cli.smoke.target import Target

_UNKNOWN = "/api/v1/smoke-test-of-an-unknown-path"
# The authorizer's route and a public one by other spellings. A front that routes one spelling and authorizes another
# opens the route.
_ENCODED = ("/api/v1/auth%2Fme", "/api/v1/auth/%6De", "/api/v1/auth/me%00", "/api/v1/%2e%2e/v1/auth/me")
# The first two statuses are usual; a front may refuse some of the spellings itself.
_DENIALS = (401, 404, 400, 403, 405)
_ROUTING_FIX = "check that the API's $default route is that of the template"


def catch_all(target: Target) -> Finding:
    """Check the `$default` route: 405 with `Allow` for a known path, 404 for an unknown one, in our error shape."""
    method = target.send("DELETE", ME)
    if (method.status, method.code) != (405, "VAL_006"):
        return failed(f"DELETE {ME} returned {method.shown()} instead of 405 VAL_006", _ROUTING_FIX)
    if "GET" not in method.headers.get("allow", ""):
        return failed("405 has no Allow header with GET", _ROUTING_FIX)
    unknown = target.send("GET", _UNKNOWN)
    if (unknown.status, unknown.code) != (404, "VAL_005"):
        return failed(f"an unknown path returned {unknown.shown()} instead of 404 VAL_005", _ROUTING_FIX)
    return ok(f"405 with Allow: {method.headers['allow']}, 404 for an unknown path")


def encoded_path(target: Target) -> Finding:
    """Send other spellings of the guarded path without a token: each is denied, and none is an error."""
    statuses = []
    for path in _ENCODED:
        response = target.send("GET", path)
        if response.status not in _DENIALS:
            fix = "stop the roll-out if it is a success: a spelling of the path passes without a token"
            return failed(f"{path} without a token returned {response.shown()}", fix)
        statuses.append(str(response.status))
    return ok(f"{len(_ENCODED)} spellings without a token: {', '.join(statuses)}")
