"""The uses of Valkey: keys, lifetimes, bounds, and the behaviour without it. docs/CACHE.md is written from this.

Tests compare the keys with those that the code forms and those that are in a Valkey after every flow.
"""

from __future__ import annotations

from typing import NamedTuple

from tenantgate.cache_counts import KEY_SETS, LAST_USES, METADATA, RATE_LIMITS, REVOCATIONS, SESSIONS


class CacheUse(NamedTuple):
    """A use of Valkey. Texts are Markdown.

    `name`: as in the figures. `keys`: each with a name in angle brackets for every part that varies. `seconds`: the
    lifetime of a key. `longest_seconds`: with the highest value of every setting. `bound`: of its memory.
    """

    name: str
    purpose: str
    keys: tuple[str, ...]
    lifetime: str
    longest_seconds: int
    bound: str
    without: str


_EACH_ASKS = (
    "each process asks the provider itself: a fetch takes up to 1 s longer while Valkey is slow, and the next ones "
    "leave it out for 30 s"
)

USES = (
    CacheUse(
        SESSIONS,
        "a session's grants and limits, read from PostgreSQL; or the mark that it has ended",
        ("tenantgate:session:{<hash>}",),
        "`SESSION_CACHE_SECONDS`, from the reading of PostgreSQL; the mark, and the entry of a replaced secret, 60 s "
        "more",
        3600 + 60,
        "one for each secret that was used within its lifetime, each below 64 KB and usually below 1 KB",
        "web functions read PostgreSQL; the authorizer makes no decision on a cookie (500, `SYS_005`); a sign-out ends "
        "the session in PostgreSQL and reports that the authorizer may accept it until its entry expires (503, "
        "`SYS_005`)",
    ),
    CacheUse(
        LAST_USES,
        "a session's last use, for the idle timeout",
        ("tenantgate:session-used:{<hash>}",),
        "`SESSION_IDLE_MINUTES`",
        1440 * 60,
        "one of ten digits for each session that was used within the idle timeout",
        "a use is written when Valkey is back; PostgreSQL has those that web functions noted",
    ),
    CacheUse(
        REVOCATIONS,
        "the list of revocations, published every second",
        ("{tenantgate:revocations}:head", "{tenantgate:revocations}:body", "{tenantgate:revocations}:additions"),
        "60 s, renewed with each publication",
        60,
        "three keys; the list has at most 102,000 names, and at most 16 MB",
        "web functions read PostgreSQL; the authorizer uses the list that it holds for 4 s from the reading of "
        "PostgreSQL, then makes no decision (500, `SYS_011`); a revocation is recorded, and reported as not yet in "
        "effect everywhere (503)",
    ),
    CacheUse(
        RATE_LIMITS,
        "the number of requests in a window, by limit and by address, identity, tenant or route",
        ("tenantgate:limit:{<hash>}:<limit>:<hash>:<amount>/<seconds>",),
        "the window, from its first request",
        86_400,
        "a few for each address, identity and tenant with a request in the window",
        "each process counts for itself, from zero: clients may get up to the limit from each process",
    ),
    CacheUse(
        METADATA,
        "the OpenID provider's discovery document, with the time of its fetch and an HMAC under a sealing key",
        ("tenantgate:metadata:<hash>",),
        "a day from the fetch at the provider",
        86_400,
        "one of at most 256 KiB, usually of a few KB",
        _EACH_ASKS,
    ),
    CacheUse(
        KEY_SETS,
        "the key set of a trusted issuer, with the time of its fetch and an HMAC under a sealing key",
        ("tenantgate:keys:<hash>",),
        "`JWKS_MAX_AGE_SECONDS` from the fetch at the issuer",
        31_536_000,
        "one for each trusted issuer, each of at most 256 KiB, usually of a few KB",
        _EACH_ASKS,
    ),
)
