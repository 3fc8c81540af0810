"""The reasons of a denial in words: the cause, the meaning of expected and actual, and the remedy of each reason code.

`tenantgate explain`, the request lines of `tenantgate dev` and docs/AUTHORIZER.md use this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenantgate.authorizer.decision_log import MALFORMED_EVENT, UNKNOWN_EVENT

_ATTACH = "Attach the authorizer to the API as docs/GUARD_YOUR_API.md shows."
_CLOCKS = "Set the clocks of this machine and of the issuer; `JWT_LEEWAY_SECONDS` allows for small differences."


class Reason(NamedTuple):
    """A reason in words. `expected` and `actual` say what these values of a finding are; empty: it has none."""

    words: str
    remedy: str
    expected: str = ""
    actual: str = ""


REASONS: Mapping[str, Reason] = {
    "authentication_required": Reason(
        "The request has no bearer token that can be read, and no session cookie that counts.",
        "Send `Authorization: Bearer <access token>` once, with the token unchanged. On your machine, "
        "`tenantgate token` prints one. A browser's session cookie counts if it is sent once, without an Authorization "
        "header, and `REDIS_URL` is set.",
    ),
    "session_ended": Reason(
        "The session is revoked, or Valkey has no recent entry of it.",
        "Call `POST /api/v1/auth/refresh` or `GET /api/v1/auth/sessions`, which write the entry again if the session "
        "is live. If they return 401 too, sign in again.",
        "",
        "the entry",
    ),
    "cross_site_request": Reason(
        "The request changes something, or opens a WebSocket, by cookie, and comes from another site's page.",
        "Call from the API's own origin (`PUBLIC_BASE_URL`) or from one of `ALLOWED_ORIGINS`. Clients other than "
        "browsers send a bearer token.",
        "the allowed origins",
        "the page's origin",
    ),
    "csrf_token_missing": Reason(
        "The request changes something by cookie, without the session's CSRF token.",
        "Send the token in the header `X-CSRF-Token`. It is in the body of `GET /api/v1/auth/sessions`, and in that "
        "header of every response of `POST /api/v1/auth/refresh`.",
        "",
        "the header",
    ),
    "csrf_token_wrong": Reason(
        "The header `X-CSRF-Token` has another text than the session's CSRF token.",
        "Read the token again from `GET /api/v1/auth/sessions`: a new session has a new one.",
        "",
        "the header",
    ),
    "cache_unavailable": Reason(
        "Valkey couldn't be reached, so the session cookie couldn't be judged.",
        "Check `REDIS_URL`, `REDIS_TLS` and the server, then repeat the request: the session itself may be live.",
    ),
    "token_revoked": Reason(
        "The token, its user, client or tenant, or the key that signed it is revoked.",
        "Sign in again. After a user, client or tenant was revoked, only a token that was issued later passes.",
        "",
        "what is revoked",
    ),
    "malformed_token": Reason(
        "The token isn't a signed JWT.",
        "Send the whole access token without quotes or line breaks. If the provider's access tokens aren't JWTs, "
        "request one for this API's audience.",
    ),
    "unsupported_header": Reason(
        "The token's header has a member that is never accepted.",
        "Have the provider issue plain signed access tokens, without this member.",
        "",
        "the header's member",
    ),
    "wrong_issuer": Reason(
        "The token is from an issuer that this API doesn't trust.",
        "Sign in at a trusted issuer, or trust this one: set `OIDC_ISSUER_URL` (others: `TRUSTED_ISSUERS`) to exactly "
        "the token's `iss`.",
        "the trusted issuers",
        "the token's `iss`",
    ),
    "algorithm_not_allowed": Reason(
        "The token is signed with an algorithm that isn't allowed for its issuer.",
        "Have the provider sign with an allowed algorithm.",
        "the allowed algorithms",
        "the header's `alg`",
    ),
    "unknown_key": Reason(
        "The issuer publishes no key with which the token's signature can be verified.",
        "Get a new token: the issuer may have replaced its keys. If it stays, compare the header's `kid` with the "
        "document at the issuer's `jwks_uri`.",
        "the key",
        "the header's `kid`",
    ),
    "invalid_signature": Reason(
        "The signature doesn't belong to this token and the issuer's key.",
        "Send the token exactly as the issuer returned it; a changed or shortened token never verifies.",
    ),
    "wrong_token_type": Reason(
        "The token isn't marked as an access token, or is of another kind.",
        "Send the access token, not the ID token; docs/AUTHORIZER.md says how an access token is recognized.",
        "the marks of an access token",
        "the token's kind",
    ),
    "issued_in_future": Reason(
        "The token was issued in the future.", _CLOCKS, "the time (epoch seconds)", "the token's `iat`"
    ),
    "not_yet_valid": Reason(
        "The token isn't valid yet.",
        f"Wait until the token's `nbf`. {_CLOCKS}",
        "the time (epoch seconds)",
        "the token's `nbf`",
    ),
    "lifetime_too_long": Reason(
        "The token lives longer than this API accepts.",
        "Have the provider issue access tokens with a shorter lifetime, or raise `JWT_MAX_LIFETIME_MINUTES`.",
        "the lifetime",
        "the token's lifetime in seconds",
    ),
    "wrong_audience": Reason(
        "The token is for another audience.",
        "Request the token for an accepted audience, or add the token's audience to `OIDC_AUDIENCE`.",
        "the accepted audiences",
        "the token's audience",
    ),
    "missing_claim": Reason(
        "The token lacks a required claim.",
        "Have the provider add the claim to its access tokens.",
        "the accepted values",
        "the token's value",
    ),
    "invalid_claim": Reason(
        "A claim of the token has the wrong type or form.",
        "Have the provider correct the claim in its access tokens.",
        "the claim's form",
        "the token's value",
    ),
    "token_expired": Reason(
        "The token has expired.",
        "Sign in again or refresh the token, then repeat the request.",
        "the time of the request (epoch seconds)",
        "the time of the check",
    ),
    "tenant_missing": Reason(
        "The token names no tenant.",
        "Have the provider add one of these claims to its access tokens, or name its own claim in "
        "`JWT_TENANT_CLAIM_NAME`.",
        "the claims for a tenant",
        "the token's value",
    ),
    "tenant_malformed": Reason(
        "The tenant in the token doesn't have the configured form.",
        "Correct the tenant at the provider, or set `TENANT_ID_PATTERN` to the form of your tenant ids.",
        "the pattern for tenants",
        "the token's tenant",
    ),
    "tenant_not_allowed": Reason(
        "The issuer may not issue tokens for this tenant, or the tenant is suspended or not registered.",
        "Sign in at the tenant's own issuer, or add the tenant to `tenants` of the issuer's entry in "
        "`TRUSTED_ISSUERS`. `tenantgate tenants show` prints the tenant's status and the issuers that it allows.",
        "the issuer's tenants",
        "the token's tenant",
    ),
    "provider_unreachable": Reason(
        "The issuer's keys couldn't be fetched.",
        "Check that this machine reaches the issuer, then repeat the request. `tenantgate jwks bundle` ships the keys.",
    ),
    "provider_timeout": Reason(
        "The issuer took too long to send its keys.",
        "Check that this machine reaches the issuer, then repeat the request. `tenantgate jwks bundle` ships the keys.",
    ),
    "no_rule": Reason(
        "No route rule covers the request, and a request without a rule is denied.",
        "Add a rule for the route to the rules file, in the block of this API.",
        "",
        "the request",
    ),
    "ambiguous_path": Reason(
        "The path can be read in more than one way.",
        "Send the path without encoded slashes, backslashes and dot segments.",
        "",
        "the request's path",
    ),
    "issuer_not_allowed": Reason(
        "The rule accepts tokens of other issuers only.",
        "Sign in at one of the rule's issuers, or add the token's issuer to `issuers` of the rule.",
        "the rule's issuers, one of",
        "the token's `iss`",
    ),
    "missing_scope": Reason(
        "The token lacks a scope that the rule requires.",
        "Request a token with the missing scopes (on your machine: `tenantgate token --scope`), or change `scopes` "
        "of the rule.",
        "the rule's scopes, all of",
        "the token's scopes",
    ),
    "missing_any_scope": Reason(
        "The token has none of the scopes of which the rule requires one.",
        "Request a token with one of these scopes (on your machine: `tenantgate token --scope`), or change "
        "`any_scope` of the rule.",
        "the rule's scopes, one of",
        "the token's scopes",
    ),
    "missing_role": Reason(
        "The caller has none of the roles of which the rule requires one.",
        "Grant the user one of these roles at the provider (on your machine: `tenantgate token --role`), or change "
        "`roles` of the rule. A role counts only from the claims in `JWT_ROLES_CLAIM_NAME`.",
        "the rule's roles, one of",
        "the token's roles",
    ),
    "acr_too_weak": Reason(
        "The sign-in was too weak for the rule.",
        "Sign in again with one of these values as `acr_values`.",
        "the rule's `acr`, one of",
        "the token's `acr`",
    ),
    "authentication_too_old": Reason(
        "The sign-in is too old for the rule.",
        "Sign in again with the rule's seconds as `max_age`.",
        "the rule's `max_auth_age` in seconds",
        "the seconds since the sign-in",
    ),
    "authentication_time_unknown": Reason(
        "The token doesn't say when the user signed in, and the rule limits that time.",
        "Have the provider add `auth_time` to its access tokens; many do if the sign-in was requested with `max_age`.",
        "the rule's `max_auth_age` in seconds",
        "the token's `auth_time`",
    ),
    MALFORMED_EVENT: Reason("The authorizer got an event that contradicts itself or lacks a member.", _ATTACH),
    UNKNOWN_EVENT: Reason("The authorizer got an event of a form that it doesn't know.", _ATTACH),
}
