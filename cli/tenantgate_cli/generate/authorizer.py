"""`docs/AUTHORIZER.md`. Its tables are data here, held to the running authorizer by the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenantgate.authorizer.decision_log import RULE_REASONS
from tenantgate.authorizer.events import ANSWER_VARIABLE, APPSYNC_ROUTE, WEBSOCKET_ROUTE
from tenantgate.errors.access import AUTH_007
from tenantgate.errors.base import ErrorCode
from tenantgate_cli.checks.registry import token_reasons


class Told(NamedTuple):
    """What the client is told, and the code in the log line and, where the shape can carry one, in the answer."""

    status: int
    code: str = ""


_OK = Told(200)
_EXPIRED = Told(401, "AUTH_003")
_FORGED = Told(401, "AUTH_004")
_MISSING = Told(401, "AUTH_007")
_NO_TENANT = Told(403, "AUTH_005")
_WRONG_SCOPE = Told(403, "AUTH_010")

CASES = ("valid", "expired", "forged", "no tenant", "wrong scope", "missing credential")
_USUAL = dict(zip(CASES, (_OK, _EXPIRED, _FORGED, _NO_TENANT, _WRONG_SCOPE, _MISSING), strict=True))

# Shape → case → what comes of it. One test runs every cell.
MATRIX: Mapping[str, Mapping[str, Told]] = {
    "rest-token": _USUAL,
    "rest-request": _USUAL,
    "http-1.0": _USUAL,
    "http-2.0": _USUAL,
    "http-2.0-policy": _USUAL,
    "websocket": _USUAL,
    # AppSync words one refusal for everything; the log line keeps them apart.
    "appsync": {case: told if told is _OK else told._replace(status=401) for case, told in _USUAL.items()},
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

One Lambda function guards REST, HTTP and WebSocket APIs and AppSync. It tells from the event who asks, verifies the
bearer token, looks the route up in the route rules, and answers in the form that the integration reads.
[GUARD_YOUR_API.md](GUARD_YOUR_API.md) says how to attach it.

<!-- Written by `make docs` from cli/tenantgate_cli/docs/authorizer.py -->

## Shapes

| integration | told by | answer |
|---|---|---|
{shapes}

An event of no other shape, or one that lacks what its shape promises, is denied with a log line at ERROR
(`unknown_event`, `malformed_event`).

**HTTP API, payload 2.0: boolean or policy?** API Gateway reads what `EnableSimpleResponses` says, and the event
doesn't tell. The authorizer answers a boolean unless the stage has the stage variable `{variable}` with the value
`policy`. Stage variables belong to the API's owner, no client can send one, and a wrong one fails closed: API Gateway
answers 500 to a form that it doesn't expect.

**Where the token stands.** `Authorization: Bearer <token>`; a `TOKEN` authorizer takes it from the header that is its
identity source, in the same form. AppSync's clients send the token alone or with `Bearer`. A browser's WebSocket,
which can set no header, offers two subprotocols next to each other, `bearer` and the token, anywhere among the
application's own: `Sec-WebSocket-Protocol: graphql-ws, bearer, <token>`. Which subprotocol the `$connect` integration
chooses is the application's own affair: one of its own, or `bearer` where the browser offers no other; never the token.
Never in the query string. A second `Authorization` header, also one that an HTTP API has joined with a comma, `bearer`
twice, and a token in both headers are refused (401).

**What the event must agree on.** API and path come from the ARN, which policies are compared with. Where the event also
has the method and the path, they must say the same: a stage's name or a custom domain's base path before the path is
no contradiction, and neither is a slash at the end, which then counts. An event that contradicts itself is denied
(`malformed_event`). The API's route that took the request (`routeKey`, `resource`) counts as
[ROUTE_RULES.md](ROUTE_RULES.md) says.

**Rules for what has no HTTP route.** The `$connect` of a WebSocket API is `{websocket}` in the route rules, an
AppSync API is `{appsync}`. Of AppSync only GraphQL APIs are supported: requests of AppSync Events (`EVENT_CONNECT`,
`EVENT_SUBSCRIBE`, `EVENT_PUBLISH`) are denied with a log line that says so, because a subscription to `/news/*` takes
every channel below, which no rule for one path decides on.

## Which tokens count as access tokens

An ID token is no bearer token, and one that an issuer hands out on a refresh has no `nonce` to know it by. Where the
audience of a token is a client (`OIDC_CLIENT_ID`, an entry's `client_ids`, or the token's own `azp`, `client_id`,
`cid` or `appid`), the token must therefore say that it is an access token (RFC 8725 §3.12), by one of:

- the header's `typ`: `at+jwt` (RFC 9068);
- the claim `scope` or `scp` with at least one scope;
- the claim `token_use` with an accepted value (Cognito's `access`);
- the claim `typ` with the value `Bearer` (Keycloak).

Otherwise it is refused with `wrong_token_type`. The remedy is one of these claims, or an audience of the API's own in
`OIDC_AUDIENCE`. A token with `nonce`, `at_hash`, `c_hash`, `s_hash` or `events` is refused whatever else it says. The
exception for ID tokens is `allow_id_tokens` in an issuer's entry, and has to be written out.

## How claims are read

Tenant, user, scopes and roles are read in the same way, from the claims that `JWT_TENANT_CLAIM_NAME`,
`JWT_ROLES_CLAIM_NAME` and an issuer's `claims` name:

| written | reads |
|---|---|
| `org_id` | the claim of exactly this name; it wins over any path |
| `realm_access.roles` | `roles` within the object `realm_access` |
| `https://example.com/claims.roles` | `roles` within the claim `https://example.com/claims` |
| `organization` | the name of the only organization: a text, a list of one, or an object of one (Keycloak) |
| `organization.*.id` | `id` within the only member of `organization` |

A tenant or a user may be a text, a whole number (42 is the tenant `42`) or a list of exactly one. Two tenants, a
boolean, a fraction or any other form is refused (`tenant_malformed`). A role claim holds one role or a list of them; in
an object of objects the names are the roles (Zitadel). Zitadel lists beside each role the organizations that gave it:
where there are any, the role counts only if the token's tenant is one of them, by id or by domain. `null` counts as
absent.

## What an issuer may give

An entry in `TRUSTED_ISSUERS` that is bound to tenants gives no scopes and no roles unless its `scopes` and `roles` list
them (`"*"`: all). What is beyond is dropped, and the token is still good for what is left. The login issuer, and an
entry with `"tenants": "*"`, may give all unless its lists say less.

## What the client is told

{matrix}

`401` is the exception `Unauthorized`, which counts as an error of the function in CloudWatch, so alarms must not
watch its `Errors`. `403` is a policy that doesn't allow the route, or `isAuthorized: false`. Our own trouble (an
issuer that can't be asked while no key is held, a bug) is any other exception, and `500`. AppSync knows one refusal,
`UnauthorizedException` with status 401. A missing identity source is a 401 by API Gateway itself: no call, no log
line. A route that asks for a stronger or newer sign-in (`AUTH_011`) is a 403 behind every authorizer, none of which
controls `WWW-Authenticate`.

## Caching

A policy is the principal's complete policy for that API and stage, so a cached one opens and closes nothing else; a
refused tenant's policy denies the whole stage. Simple responses are cached whatever the route, so they want a TTL of
0 or `$context.routeKey` among the identity sources; `tenantgate rules check --template` refuses anything else.
AppSync's answer says `ttlOverride: 0`. A cached answer outlives the token's end and its revocation by up to the TTL.
Where rules can't be written as a policy of 8 KB, the policy is for the request's own route alone, with a warning in
the log: right without a cache; with one it may close other routes, and opens none.

## What reaches the backend

Strings and numbers alone, because a REST API answers 500 to anything else: `user_id`, `tenant_id`, `issuer`, `scopes`
(joined by blanks), `expires_at` (epoch seconds), `auth_method`, `request_id`. A caller without a credential on a
public route has only `request_id`. `user_id` is unique only together with `issuer`: two issuers may use the same one.
`principalId`, in policies, is both in one text, `<issuer>#<user_id>` (`%` and `#` in the issuer are percent-encoded).
REST and WebSocket: `requestContext.authorizer.<name>`; HTTP API:
`requestContext.authorizer` (1.0) or `requestContext.authorizer.lambda` (2.0); AppSync:
`$ctx.identity.resolverContext.<name>`.

## Decision receipts

Every denial is one log line, under the id that the client sees:

```json
{{"level":"INFO","message":"denied","request_id":"Uq1kPiKCliAEMzg=","context":{{"shape":"http-2.0","api_id":"q7w3e5r9t1",
"method":"GET","path":"/orders/42","status":401,"gateway_request_id":"Uq1kPiKCliAEMzg=","error_code":"AUTH_004",
"reason":"wrong_audience","check":"audience","finding":"aud names somebody else","claim":"aud",
"expected":["orders-api"],"actual":"billing-api"}}}}
```

`request_id` is the caller's `X-Request-ID` when it sent a well-formed one, else API Gateway's id (`apigw-requestid`,
`x-amzn-requestid`), which is always in `gateway_request_id` too. A `TOKEN` event carries none: there it is the id of
the authorizer's own invocation, which API Gateway's access log has as `$context.authorizer.requestId`, and `trace_id`
is what the client got in `X-Amzn-Trace-Id`. Denials out of API Gateway's cache have no line of ours; and since a
cached policy serves other routes too, its context says nothing of the request that it was made for but `request_id`. A
simple answer, and a refused tenant, hand `error_code` and `reason` on (`$context.authorizer.reason` in a gateway
response).

`tenantgate explain <reason or code>` says what a code means; `tenantgate explain --token-file F --route 'GET
/orders/42'` makes every check offline and prints a table. It exits with 0 if the request would pass, 1 if not, 2 if
it can't tell.

| reason | code |
|---|---|
{reasons}

## Keys without the network

`tenantgate jwks bundle` fetches the key set of every issuer that has a file (`OIDC_JWKS_FILE`, or `jwks_file` of its
entry in `TRUSTED_ISSUERS`) and writes it where the layer's build takes it: `/opt/jwks.json` at run time is
`layers/shared/jwks.json` at build time. Run it before `make build`. A cold start then makes no network call. The
set's age counts from when it was fetched: past `JWKS_CACHE_TTL_SECONDS` it is renewed in the background, past
`JWKS_MAX_AGE_SECONDS` it is dropped, so that a key that has left the issuer dies even where the issuer can't be
reached. Each issuer has a file of its own: sharing one would let each sign the other's tokens.
"""


def authorizer_page() -> str:
    """The page's Markdown."""
    return _PAGE.format(
        variable=ANSWER_VARIABLE,
        websocket=WEBSOCKET_ROUTE[0],
        appsync=" ".join(APPSYNC_ROUTE),
        shapes="\n".join(f"| {name} | {told_by} | {said} |" for name, told_by, said in SHAPES.values()),
        matrix=_matrix(),
        reasons="\n".join(f"| `{reason}` | `{code.code}` |" for reason, code in _reasons()),
    )


def _matrix() -> str:
    lines = [f"| integration | {' | '.join(CASES)} |", "|---|" + "---|" * len(CASES)]
    for shape, told in MATRIX.items():
        cells = (f"{told[case].status} {told[case].code}".rstrip() for case in CASES)
        lines.append(f"| {SHAPES[shape][0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _reasons() -> list[tuple[str, ErrorCode]]:
    all_reasons = {**token_reasons(), "authentication_required": AUTH_007, **RULE_REASONS}
    return sorted(all_reasons.items(), key=lambda row: (row[1].code, row[0]))
