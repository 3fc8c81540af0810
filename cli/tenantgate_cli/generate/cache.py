"""Write `docs/CACHE.md` from the declared uses of the cache."""

from __future__ import annotations

from tenantgate.cache.uses import USES
from tenantgate.cache_counts import EVERY_SECONDS
from tenantgate.observability.figures import NAMESPACE

_PAGE = """\
# The cache

Valkey (`REDIS_URL`) has copies and counts; PostgreSQL has the record. If Valkey is emptied, only last uses are lost: a
session that only the authorizer has seen for longer than the idle timeout ends. Without `REDIS_URL`, the authorizer
accepts no session cookies, and web functions read PostgreSQL.

<!-- Written by `make docs` from layers/shared/tenantgate/cache/uses.py -->

## Uses

| use | contents | keys | lifetime of a key | bound |
|---|---|---|---|---|
{uses}

A hash is the SHA-256 of names and secrets: no key contains personal data, and none leads back to a cookie. Every key
expires, so the memory follows the number of current users. If Valkey is full and evicts keys, or refuses writes, the
next column says what follows; `maxmemory-policy volatile-ttl` is a good choice.

## Without Valkey

Web functions wait at most one second for Valkey, the authorizer 0.6 s. After a failure, web functions try again a
second later (for metadata and key sets, 30 s later), and don't wait in the meantime.
[RELIABILITY.md](RELIABILITY.md#a-link-fails) has the outcome of each flow.

| use | while Valkey can't be reached |
|---|---|
{without}

## Hits and misses

Each process counts its readings by use, and writes them to the log at the end of a request, at most once in
{every:g} s for each use:

```json
{{"message":"readings of the cache","service":"auth_validate","use":"sessions","cache_hits":214,"cache_misses":3,\
"cache_failures":0,"_aws":{{…}}}}
```

A hit is a key with a value, a miss a key without one, and a failure a reading that Valkey didn't serve. Of rate limits,
each request that Valkey counted is a hit. On AWS,
CloudWatch reads the line as metrics (embedded metric format) in the namespace `{namespace}`, with the dimensions
`service` and `use`. Elsewhere it is a line of the log. `LOG_LEVEL` doesn't suppress it. The counts of a process's last
minute are lost with it.

## Access to Valkey

**Anyone who can write to Valkey can act as any user** where session cookies are accepted: they can choose a secret and
write an entry for it. They can also remove the mark of an ended session, publish a list without revocations, and reset
counts. They can't sign in to get tokens, refresh a session, or change anything in PostgreSQL, and bearer tokens still
need the issuer's signature. Deleting keys opens nothing.

Providers' metadata and key sets are the exception: anyone who could write them would choose the keys that verify
tokens. So each has an HMAC-SHA-256 under a key derived from `COOKIE_SEALING_KEYS`, over the document, its use, issuer
and URL and the time of its fetch, and only functions that have this secret anyway write and read them: sign-in,
callback, refresh, sign-out, back-channel logout and security events. `validate`, `me` and the authorizer use only
memory, the bundled key sets and the issuer. Someone who can write to Valkey can delete these entries, or put back
older ones: their age counts from the fetch at the provider, so that a key set is used until its refresh
(`JWKS_CACHE_TTL_SECONDS`) and, while the issuer is away, until `JWKS_MAX_AGE_SECONDS`; metadata for an hour, and for a
day. Any other entry is ignored, and the function asks the provider. A key that the issuer removed is refused as soon
as without sharing: at the refresh, counted from the fetch. A token with an unknown `kid` always makes the process ask
the issuer, within the usual allowance.

**Anyone who can read Valkey** learns users, tenants, scopes, roles and the sessions' CSRF tokens. There are no cookies,
tokens, passwords or private keys in it.

So only Tenantgate may have access to its Valkey. Use TLS with a verified certificate (`rediss://`,
`REDIS_TLS=verify-full`), a network that only the functions reach, and a user for each kind of client:

```
{acl}
```

On ElastiCache for Valkey no password is needed: give both users `AuthenticationMode: iam` with the access strings above
(from `~` on), and set `REDIS_IAM_CACHE` to the name of the cache. `REDIS_URL` is then `rediss://user@endpoint:6379/0`.
Each new connection logs in with a token that the process signs as its role, which needs `elasticache:Connect` on the
cache and on the user. A serverless cache is a cluster, but it has one endpoint for all slots, and the keys of each
command are in one slot. A cluster of several nodes isn't supported.
"""

# A test logs in as these users.
ACL = """\
ACL SETUSER web on >PASSWORD ~tenantgate:* ~{tenantgate:*}:* -@all +get +mget +set +del +expire +getrange +incr \
+pttl +pexpire +eval +evalsha +ping +select
ACL SETUSER authorizer on >PASSWORD %R~tenantgate:session:* ~tenantgate:session-used:* %R~{tenantgate:revocations}:* \
-@all +mget +set +select"""


def cache_page() -> str:
    """Return the page in Markdown."""
    return _PAGE.format(
        uses="\n".join(
            f"| {use.name} | {use.purpose} | {'<br>'.join(f'`{key}`' for key in use.keys)} | {use.lifetime} "
            f"| {use.bound} |"
            for use in USES
        ),
        without="\n".join(f"| {use.name} | {use.without} |" for use in USES),
        every=EVERY_SECONDS,
        namespace=NAMESPACE,
        acl=ACL,
    )
