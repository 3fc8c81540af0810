"""Requests without a credential, with a forged token, and with an accepted one."""

from __future__ import annotations

from tenantgate_cli.bounded_http import Response, member
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning
from tenantgate_cli.smoke.target import Target

ME = "/api/v1/auth/me"
VALIDATE = "/api/v1/auth/validate"
# API Gateway renames the header on REST APIs, and may do so on HTTP APIs.
_CHALLENGES = ("www-authenticate", "x-amzn-remapped-www-authenticate")
# RFC 7519 §6: an unsecured token. A verifier that accepts it accepts any claims.
_UNSIGNED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJzbW9rZSIsImV4cCI6NDEwMjQ0NDgwMH0."
NO_TOKEN = "give a token that the API accepts: --token - reads it from standard input"  # noqa: S105  (words)


def without_token(target: Target) -> Finding:
    """`GET /api/v1/auth/validate` verifies the token itself: 401 with a challenge (RFC 9110 §11.6.1)."""
    response = target.send("GET", VALIDATE)
    if response.status != 401:
        return _not_denied(VALIDATE, response)
    challenge = next((response.headers[name] for name in _CHALLENGES if name in response.headers), "")
    if not challenge.startswith("Bearer"):
        fix = "the front removed WWW-Authenticate: forward it, so that clients know how to authenticate"
        return warning(f"{response.shown()} without a WWW-Authenticate header", fix)
    return ok(f"{response.shown()}, {challenge}")


def behind_authorizer(target: Target) -> Finding:
    """Check the route behind the authorizer: API Gateway turns the exception `Unauthorized` into 401."""
    response = target.send("GET", ME)
    if response.status == 401:
        return ok(response.shown())
    if response.status >= 500:
        fix = "API Gateway could not run the authorizer: read its log, and check the permission to invoke its alias"
        return failed(f"{ME} returned {response.shown()} instead of 401", fix)
    return _not_denied(ME, response)


def forged_token(target: Target) -> Finding:
    """Send an unsigned token to both kinds of routes."""
    for path in (ME, VALIDATE):
        response = target.send("GET", path, token=_UNSIGNED)
        if response.status not in (401, 403):
            return _not_denied(f"{path} with an unsigned token", response)
    return ok("an unsigned token is rejected")


def with_token(target: Target) -> Finding:
    """Send the token: the authorizer passes it on, and the response has its user and tenant."""
    if not target.token:
        return skipped(f"no token: {NO_TOKEN}")
    response = target.send("GET", ME, token=target.token)
    names = ("user_id", "tenant_id")
    if response.status != 200 or not all(isinstance(member(response.body, name), str) for name in names):
        fix = "tenantgate explain --token-file FILE says what is wrong with a token"
        return failed(f"{ME} returned {response.shown()} for the token", fix)
    return ok("200, with the user and the tenant of the token")


def without_scope(target: Target) -> Finding:
    """Send the token to a route that requires a scope which it doesn't have: 403."""
    if target.scoped is None:
        return skipped("no route: name one that requires a scope which the token doesn't have, --scoped 'GET /path'")
    if not target.token:
        return skipped(f"no token: {NO_TOKEN}")
    place = " ".join(target.scoped)
    bare = target.send_scoped(token="")
    if bare.status != 401:
        return _not_denied(f"{place} without a token", bare)
    response = target.send_scoped(token=target.token)
    if response.status != 403:
        fix = "check the route's scopes (tenantgate rules check), and that the token lacks them"
        return failed(f"{place} returned {response.shown()} instead of 403", fix)
    return ok(f"401 without a token, {response.shown()} with one")


def _not_denied(place: str, response: Response) -> Finding:
    fix = "stop the roll-out: this route must not be open; check the template's authorizers and the route rules"
    if response.status in (404, 405) or response.status >= 500 or 300 <= response.status < 400:
        fix = "check that the URL is that of the API, and read the functions' logs"
    return failed(f"{place} returned {response.shown()} instead of 401", fix)
