"""Write `docs/AUTHORIZER.md`. The tests compare its tables with the running authorizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenantgate.authorizer.decision_log import RULE_REASONS
from tenantgate.authorizer.events import ANSWER_VARIABLE, APPSYNC_ROUTE, WEBSOCKET_ROUTE
from tenantgate.errors.access import AUTH_007
from tenantgate.errors.base import ErrorCode
from tenantgate.errors.tokens import WrongAudience
from tenantgate.tokens.access_token import check_audience
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import CachedIssuerKeys, Timings
from tenantgate.tokens.signatures import TrustedIssuer
from tenantgate.tokens.wiring import jwks_loader
from tenantgate_cli.checks.registry import cookie_reasons, token_reasons
from tenantgate_cli.denials.reasons import REASONS
from tenantgate_cli.generate.authorizer_sections import sessions_and_revocations


class Outcome(NamedTuple):
    """The client's status, and the error code in the log line and, if the integration has room for it, the result."""

    status: int
    code: str = ""


_OK = Outcome(200)
_EXPIRED = Outcome(401, "AUTH_003")
_FORGED = Outcome(401, "AUTH_004")
_MISSING = Outcome(401, "AUTH_007")
_NO_TENANT = Outcome(403, "AUTH_005")
_WRONG_SCOPE = Outcome(403, "AUTH_010")

CASES = ("valid", "expired", "forged", "no tenant", "wrong scope", "missing credential")
_USUAL = dict(zip(CASES, (_OK, _EXPIRED, _FORGED, _NO_TENANT, _WRONG_SCOPE, _MISSING), strict=True))

# Integration → case → outcome. One test runs every cell.
MATRIX: Mapping[str, Mapping[str, Outcome]] = {
    "rest-token": _USUAL,
    "rest-request": _USUAL,
    "http-1.0": _USUAL,
    "http-2.0": _USUAL,
    "http-2.0-policy": _USUAL,
    "websocket": _USUAL,
    # AppSync has one error for all cases; the log line distinguishes them.
    "appsync": {case: outcome if outcome is _OK else outcome._replace(status=401) for case, outcome in _USUAL.items()},
}

SHAPES: Mapping[str, tuple[str, str, str]] = {
    "rest-token": ("REST API, `TOKEN`", "`type: TOKEN`", "a policy"),
    "rest-request": ("REST API, `REQUEST`", "`type: REQUEST`, no `version`", "a policy"),
    "http-1.0": ("HTTP API, payload 1.0", "`version: 1.0`", "a policy"),
    "http-2.0": ("HTTP API, payload 2.0, simple", "`version: 2.0`", "`isAuthorized`"),
    "http-2.0-policy": (
        "HTTP API, payload 2.0, IAM",
        f"`version: 2.0`, stage variable `{ANSWER_VARIABLE}: policy`",
        "a policy",
    ),
    "websocket": ("WebSocket API, `$connect`", "`type: REQUEST`, `eventType: CONNECT`", "a policy for `$connect`"),
    "appsync": ("AppSync", "`authorizationToken`, `requestContext.queryString`", "`isAuthorized`, `ttlOverride: 0`"),
}

_PAGE = """\
# The authorizer

One Lambda function guards REST, HTTP and WebSocket APIs and AppSync. It recognizes the integration by the event,
verifies the bearer token, applies the route rules, and responds in the form that the integration expects.
[GUARD_YOUR_API.md](GUARD_YOUR_API.md) describes how to attach it.

<!-- Written by `make docs` from cli/tenantgate_cli/generate/authorizer.py -->

## Integrations

| integration | recognized by | result |
|---|---|---|
{shapes}

An event of any other form, or one that lacks a required member, is denied with a log line at ERROR (`unknown_event`,
`malformed_event`).

**HTTP API, payload 2.0: boolean or policy?** API Gateway expects the form that `EnableSimpleResponses` sets, but the
event doesn't contain this setting. The authorizer returns a boolean unless the stage has the stage variable
`{variable}` with the value `policy`. Only the API's owner can set stage variables; clients can't. A wrong
value fails closed: API Gateway responds with 500 to the form that it doesn't expect.

**Location of the token.** The token is in `Authorization: Bearer <token>`; a `TOKEN` authorizer reads the header that
is its identity source, in the same form. Clients of AppSync send the token with or without `Bearer`. A browser can't
set headers on a WebSocket, so it sends two subprotocols next to each other, `bearer` and the token, anywhere among
the application's own: `Sec-WebSocket-Protocol: graphql-ws, bearer, <token>`. The `$connect` integration selects one
of the application's subprotocols, or `bearer` if the browser offers no other; it must never select the token. A token
in the query string is never read. These requests are rejected (401): a second `Authorization` header, even if an HTTP
API has joined the two with a comma; `bearer` twice; a token in both headers.

**Session cookies.** With `REDIS_URL`, a request without an `Authorization` header may come from a browser with a
session cookie; [Session cookies](#session-cookies) says what is required then. An `Authorization` header is the only
credential of its request, even if it is malformed. TOKEN authorizers and AppSync receive no cookie.

**Consistency of the event.** The authorizer reads API and path from the ARN, because policies are compared with it. If
the event also has the method and the path, they must match. Three differences are allowed: a stage's name before the
path, a custom domain's base path before it, and a slash at the end, which then counts. An event that contradicts itself
is denied (`malformed_event`). [ROUTE_RULES.md](ROUTE_RULES.md) describes how the API's matched route (`routeKey`,
`resource`) counts.

**Rules without an HTTP route.** In the route rules, the `$connect` of a WebSocket API is `{websocket}`, and an AppSync
API is `{appsync}`. Of AppSync, only GraphQL APIs are supported. Requests of AppSync Events (`EVENT_CONNECT`,
`EVENT_SUBSCRIBE`, `EVENT_PUBLISH`) are denied with a log line that gives the reason: a subscription to `/news/*` covers
every channel below it, and no rule for one path can decide that.

## Access tokens and ID tokens

An ID token is not a bearer token. An ID token that an issuer returns for a refresh has no `nonce` by which to
recognize it. Therefore, if the audience of a token is a client (`OIDC_CLIENT_ID`, an entry's `client_ids`, or the
token's own `azp`, `client_id`, `cid` or `appid`), the token must be marked as an access token (RFC 8725 §3.12) in one
of these ways:

- the header's `typ` is `at+jwt` (RFC 9068);
- the claim `scope` or `scp` has at least one scope;
- the claim `token_use` has an accepted value (Cognito's `access`);
- the claim `typ` has the value `Bearer` (Keycloak).

Otherwise it is rejected with `wrong_token_type`. To fix this, add one of these claims, or use an audience in
`OIDC_AUDIENCE` that belongs to the API. A token with `nonce`, `at_hash`, `c_hash`, `s_hash` or `events` is always
rejected. The only exception, for ID tokens, is `allow_id_tokens` in an issuer's entry.

## How claims are read

`JWT_TENANT_CLAIM_NAME`, `JWT_ROLES_CLAIM_NAME` and an issuer's `claims` name the claims for tenant, user, scopes and
roles. All are read in the same way:

| written | reads |
|---|---|
| `org_id` | the claim with exactly this name, which wins over any path |
| `realm_access.roles` | `roles` in the object `realm_access` |
| `https://example.com/claims.roles` | `roles` in the claim `https://example.com/claims` |
| `organization` | the name of the only organization: a text, a list of one, or an object of one (Keycloak) |
| `organization.*.id` | `id` in the only member of `organization` |

A tenant or a user can be a text, a whole number (42 is the tenant `42`) or a list of exactly one. Two tenants, a
boolean, a fraction or any other form is rejected (`tenant_malformed`). A role claim contains one role or a list of
roles; in an object of objects, the names are the roles (Zitadel). Zitadel lists the granting organizations for each
role: if there are any, the role counts only if the token's tenant is one of them, by id or by domain. `null` counts as
absent.

## Limits for issuers

An entry in `TRUSTED_ISSUERS` that is bound to tenants grants no scopes and no roles unless its `scopes` and `roles`
list them (`"*"`: all). Others are dropped from the token; it stays valid for the rest. The login issuer, and an entry
with `"tenants": "*"`, grant all unless their lists say otherwise.

{sessions_and_revocations}

## Responses to the client

{matrix}

`401` is the exception `Unauthorized`, which counts as an error of the function in CloudWatch, so alarms must not
watch its `Errors`. `403` is a policy that doesn't allow the route, or `isAuthorized: false`. For a failure on our
side (no keys are cached and the issuer can't be reached, or a bug), the function raises another exception, and the
response is `500`. AppSync has only one error for a rejected request, `UnauthorizedException` with status 401. If an
identity source is missing, API Gateway itself responds with 401: there is no call and no log line. A route that
requires a stronger or newer sign-in (`AUTH_011`) is a 403 behind every authorizer, because none can set
`WWW-Authenticate`.

## Caching

A policy is the principal's complete policy for that API and stage, so that a cached one neither allows nor denies
anything wrongly; the policy of a rejected tenant denies the whole stage. Simple results are cached for all routes, so
they need a TTL of 0, or `$context.routeKey` among the identity sources; `tenantgate rules check --template` rejects
everything else. AppSync's result has `ttlOverride: 0`. A cached result is used up to one TTL longer than the token is
valid, or after it is revoked. If the rules don't fit into a policy of 8 KB, the policy covers only the request's route,
and the log has a warning: without a cache this is correct; with one, other routes may be denied, but none is allowed.

## What reaches the backend

The context has only strings and numbers, because a REST API responds with 500 to any other type: `user_id`,
`tenant_id`, `issuer`, `scopes` (separated by spaces), `expires_at` (epoch seconds), `auth_method`, `request_id`; for a
session (`auth_method` is `session`) also `session_id`, and if the time of the sign-in is known, `auth_time` (epoch
seconds).
Without a credential, on a public route, it has only `request_id`. `user_id` is unique only together with `issuer`:
two issuers can use the same one. In policies, `principalId` combines both, as `<issuer>#<user_id>` (`%` and `#` in
the issuer are percent-encoded). The backend finds the context in `requestContext.authorizer.<name>` (REST, WebSocket,
HTTP API 1.0), `requestContext.authorizer.lambda.<name>` (HTTP API 2.0) or `$ctx.identity.resolverContext.<name>`
(AppSync).

## Log lines of denials

Every denial is one log line, with the id that the client sees:

```json
{{"level":"INFO","message":"denied","request_id":"Uq1kPiKCliAEMzg=","context":{{"shape":"http-2.0","api_id":"q7w3e5r9t1",
"method":"GET","path":"/orders/42","status":401,"gateway_request_id":"Uq1kPiKCliAEMzg=","error_code":"AUTH_004",
"reason":"wrong_audience","check":"audience","finding":"{finding}","claim":"aud",
"expected":["orders-api"],"actual":"billing-api"}}}}
```

`request_id` is the caller's `X-Request-ID` if it is well-formed, otherwise API Gateway's id (`apigw-requestid`,
`x-amzn-requestid`). `gateway_request_id` is always API Gateway's id. A `TOKEN` event contains neither: the id is that
of the authorizer's own invocation, which API Gateway's access log has as `$context.authorizer.requestId`, and
`trace_id` is the value that the client got in `X-Amzn-Trace-Id`. Denials from API Gateway's cache have no log line
here. A cached policy serves other routes too, so its context contains nothing about its request except `request_id`.
A simple result, and the policy of a rejected tenant, also contain `error_code` and `reason`
(`$context.authorizer.reason` in a gateway response).

`tenantgate explain <reason or code>` explains a code. `tenantgate explain --token-file F --route 'GET /orders/42' --api
ID` runs every check offline and prints a table, with cause, expected and actual values and remedy of each failed check.
It consults the rules and settings of the stack that runs on this machine, and names the file and the API; without a
stack, `--rules`, `ROUTE_RULES_FILE` or the product's own file. It exits with 0 if the request would pass, 1 if not, and
2 if this is unknown.

On a developer's machine, `tenantgate dev` reads these lines to say in each request's line why it was denied, and
`tenantgate explain --request ID` prints a request's lines from all functions, and the decision. Denials from the
gateway's cache and missing identity sources are in the gateway's own log, `.local/logs/api-gateway.log`. `tenantgate
logs [FUNCTION] [--request ID] [--follow]` prints all lines in order of time.

| reason | code | cause and remedy |
|---|---|---|
{reasons}

## Bundled key sets

`tenantgate jwks bundle` fetches the key set of every issuer that has a file (`OIDC_JWKS_FILE`, or `jwks_file` of its
entry in `TRUSTED_ISSUERS`), and writes it where the layer's build expects it: `/opt/jwks.json` at run time is
`layers/shared/jwks.json` at build time. Run it before `make build`. A cold start then needs no network call. The
set's age counts from the time of the fetch: after `JWKS_CACHE_TTL_SECONDS` it is refreshed in the background, and
after `JWKS_MAX_AGE_SECONDS` it is dropped, so that a key that the issuer withdrew expires even if the issuer can't be
reached. Each issuer has its own file: with a shared one, each issuer could sign the other's tokens.
"""


def authorizer_page() -> str:
    """Return the page in Markdown."""
    return _PAGE.format(
        variable=ANSWER_VARIABLE,
        sessions_and_revocations=sessions_and_revocations(),
        websocket=WEBSOCKET_ROUTE[0],
        appsync=" ".join(APPSYNC_ROUTE),
        shapes="\n".join(f"| {name} | {recognized_by} | {result} |" for name, recognized_by, result in SHAPES.values()),
        matrix=_matrix(),
        finding=_wrong_audience(),
        reasons="\n".join(
            f"| `{reason}` | `{code.code}` | {REASONS[reason].words} {REASONS[reason].remedy} |"
            for reason, code in _reasons()
        ),
    )


def _wrong_audience() -> str:
    """Return the finding of the log line in the page, as the check words it."""
    policy = IssuerPolicy("https://login.example.com", ("orders-api",))
    trusted = TrustedIssuer(policy, CachedIssuerKeys(policy.issuer, jwks_loader(policy), timings=Timings()))
    try:
        check_audience({"aud": "billing-api"}, trusted)
    except WrongAudience as error:
        return error.reason
    raise AssertionError("the audience must be rejected")


def _matrix() -> str:
    lines = [f"| integration | {' | '.join(CASES)} |", "|---|" + "---|" * len(CASES)]
    for shape, outcomes in MATRIX.items():
        cells = (f"{outcomes[case].status} {outcomes[case].code}".rstrip() for case in CASES)
        lines.append(f"| {SHAPES[shape][0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _reasons() -> list[tuple[str, ErrorCode]]:
    credentials = {**token_reasons(), **cookie_reasons(), "authentication_required": AUTH_007}
    all_reasons = {**credentials, **RULE_REASONS}
    return sorted(all_reasons.items(), key=lambda row: (row[1].code, row[0]))
