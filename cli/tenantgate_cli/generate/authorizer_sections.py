"""The sections of `docs/AUTHORIZER.md` on session cookies and revocations."""

from __future__ import annotations

from tenantgate.revoked.holder import BOUND_SECONDS, CLOCK_DIFFERENCE_SECONDS
from tenantgate_cli.checks.rules_revocation import BOUND

_SECTIONS = """\
## Session cookies

The cookie `__Host-tg_session` is sent only to Tenantgate's own host, so it reaches only APIs on that host, for example
behind base paths of one custom domain. The authorizer finds the session by its entry in Valkey, which web functions
write from PostgreSQL. An entry lives `SESSION_CACHE_SECONDS`, and the authorizer never prolongs it; it marks the
session as used, at most once a minute.

- **No entry** (the session ended, timed out, or wasn't read from PostgreSQL lately) is a 401 with `AUTH_020`.
  `POST /api/v1/auth/refresh` and `GET /api/v1/auth/sessions` write the entry again if the session is live.
- **Valkey can't be reached**: no decision. The response is 500, with `SYS_005` in the log line.
- **A change needs its own page.** Every method except GET, HEAD and OPTIONS, and `$connect`, must come from
  `PUBLIC_BASE_URL` or one of `ALLOWED_ORIGINS`: `Origin` decides, or `Sec-Fetch-Site` (`same-origin`, `none`) without
  it. These methods also need the session's CSRF token in `X-CSRF-Token`. Otherwise it is a 403 with `AUTH_021`.
- **An ambiguous cookie** is a 401 with `AUTH_007`: the name twice, in other letters or in the value of another cookie,
  several `Cookie` lines, or a cookie longer than 4 KB. A page of a sibling subdomain could have set one of them.
- **On a public route** the cookie isn't read. The route works for visitors with an ended session and without Valkey,
  and the request has no caller.
- **A decision on a cookie must not be cached**, since it also depends on the method, the page's origin and the CSRF
  token. Use a TTL of 0; `tenantgate rules check --template` rejects any other TTL where `Cookie` is an identity source.
  A policy for a session allows only the path of its request, even where others would be complete.

Without `REDIS_URL`, a session cookie counts as no credential.

## Revocations

With `REDIS_URL`, every verified token and every live session is compared with the list of revocations, also a token
that was verified before. The last check decides: only a good credential can be a revoked one. The list has tokens,
sessions and key ids, the times up to which what users, clients and tenants got is refused, suspended tenants, the
registered ones if `TENANT_REGISTRATION` is `closed`, and the issuers of tenants that restrict them.

- **A revoked token** is a 401 with `AUTH_030`, a revoked session one with `AUTH_020`. A tenant that is suspended or not
  registered, or doesn't allow the issuer, is a 403 with `AUTH_005`.
- **A revocation takes effect within {bound} s** for new requests, with a TTL of 0. The list says when PostgreSQL was
  read for it, and counts for {trusted} s from then; clocks may differ by {difference} s. The authorizer looks for a
  newer one every half second.
- **Without a list that is recent enough** there is no decision: the response is 500, with `SYS_011` in the log line and
  the reason in `problem`. A list that is missing, malformed, too old, from the future or older than the last one is
  never used. The last one is used until it is {trusted} s old, so a short outage denies no request.
- **The TTL of your API's authorizer adds to the bound**: API Gateway asks the authorizer again only after it.
  `tenantgate rules check --template` prints the sum for each authorizer.
- **Open connections of WebSocket APIs and AppSync live until they close**: the authorizer sees only their beginning.
- **The exception**: a Valkey failover that loses acknowledged writes brings back an older list. An authorizer that has
  seen the newer one refuses it. One that starts just then uses it until the next publication, a second later.
- **A user, client or tenant that signs in again** gets tokens that pass. A token counts as issued before the revocation
  up to `JWT_LEEWAY_SECONDS` after it, since the issuer's clock may be ahead. A session has our own time, and passes at
  once.
- **The client** of a token is in `azp`, `client_id`, `cid` or `appid`, or in `aud` if it has none of these.
- **A token without `jti`** is revoked by its text without the signature, of which ECDSA has several.
- **A token without `kid`** in its header counts as signed by the `kid` of the key that verifies it. A key that has none
  can only be withdrawn by its issuer.

Without `REDIS_URL`, the authorizer knows no revocations: a token counts until it expires."""


def sessions_and_revocations() -> str:
    """Return both sections in Markdown."""
    return _SECTIONS.format(bound=BOUND, trusted=f"{BOUND_SECONDS:g}", difference=f"{CLOCK_DIFFERENCE_SECONDS:g}")
