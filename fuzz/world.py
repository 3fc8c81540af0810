"""Two trusted issuers, their key sets, and the verifier that trusts them: the environment of every fuzzer here.

The first issuer publishes valid keys of every kind among keys that must never verify anything. The second one is bound
to one tenant, two algorithms and its own audience, and has a single key for each algorithm, so that `kid` is optional.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fuzz.keys import KIND_OF_ALGORITHM, Jwk, jwk
from tenantgate.identity.bearer import BearerCredential
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.keys import MAX_SAME_KID, KeySet
from tenantgate.tokens.policy import TokenPolicy, token_policy
from tenantgate.tokens.verifier import TokenVerifier

NOW = 1_790_000_000
LEEWAY = 60
TENANT = "org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4b"
OTHER_TENANT = "org-0192f5a8-7c1e-7d3a-9b52-ffffffffffff"


class Issuer(NamedTuple):
    """A trusted issuer. `keys` names the signing key of each allowed algorithm; `published` is the whole JWK set.

    `shared` has the names of the keys that share a `kid`, up to the number of keys that the verifier tries.
    """

    url: str
    audience: str
    tenant: str
    keys: Mapping[str, str]
    published: tuple[Jwk, ...]
    shared: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def good_jwks(self) -> dict[str, Jwk]:
        """Return the JWKs that may verify something, by the key's name, which is its `kid` unless that is shared."""
        own = {name: key for key in self.published if (name := str(key["kid"])) in set(self.keys.values())}
        return own | {name: jwk(name) for names in self.shared.values() for name in names}

    def names_of(self, kid: str, alg: str) -> list[str]:
        """Return the keys that may have signed a token with this `kid` and `alg`."""
        kind = f"{KIND_OF_ALGORITHM[alg]}-"
        return [name for name in self.shared.get(kid, (kid,)) if name.startswith(kind)]


# Two keys of one kind, two of different kinds, and as many as the verifier tries.
_SHARED = {
    "ed25519-same": ("ed25519-s1", "ed25519-s2"),
    "mixed-same": ("p256-m1", "ed25519-m2"),
    "p256-many": tuple(f"p256-s{number}" for number in range(1, MAX_SAME_KID + 1)),
}
BEYOND_THE_BOUND = "p256-s9"

_FIRST_KEYS = {alg: f"{kind}-1" for alg, kind in KIND_OF_ALGORITHM.items()}
FIRST = Issuer(
    "https://issuer.example.test/tenantgate",
    "tenantgate-api",
    TENANT,
    _FIRST_KEYS,
    (
        *(jwk(name) for name in dict.fromkeys(_FIRST_KEYS.values())),
        jwk("rsa1024-weak"),
        jwk("rsa-foreign", kid="rsa-enc", use="enc"),
        jwk("rsa-foreign", kid="rsa-sign-only", use=None, key_ops=["sign"]),
        jwk("rsa-foreign", kid="rsa-says-hmac", alg="HS256"),
        jwk("rsa-foreign", kid="rsa-says-none", alg="none"),
        jwk("rsa-foreign", kid="rsa-with-d", d="AQAB"),
        jwk("p256-foreign", kid="p256-enc", use="enc"),
        jwk("p256-foreign", kid="p256-says-p384", crv="P-384"),
        jwk("p256-foreign", kid="p256-off-curve", y="A" * 43),
        jwk("ed25519-foreign", kid="ed25519-enc", use="enc"),
        jwk("ed25519-foreign", kid="ed25519-zero", x="A" * 43),
        jwk("ed25519-foreign", kid="ed25519-one", x="AQ" + "A" * 41),
        {"kty": "oct", "kid": "oct-1", "k": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA", "alg": "HS256"},
        {**jwk("rsa-1"), "kid": "rsa-exponent-one", "e": "AQ"},
        *(jwk(name, kid=kid) | {"alg": None, "x5c": ""} for kid, names in _SHARED.items() for name in names),
        jwk(BEYOND_THE_BOUND, kid="p256-many"),
        jwk("ed25519-foreign", kid="ed25519-same", use="enc"),
    ),
    _SHARED,
)
_SECOND_KEYS = {"ES256": "p256-2", "EdDSA": "ed25519-2", "Ed25519": "ed25519-2"}
SECOND = Issuer(
    "https://second.example.test",
    "second-api",
    OTHER_TENANT,
    _SECOND_KEYS,
    tuple(jwk(name) for name in dict.fromkeys(_SECOND_KEYS.values())),
)
# The scopes and roles that the second issuer may grant, and the claims that may hold others.
SECOND_MAY_GIVE = frozenset({"a", "orders:read"})
WITHHELD = frozenset({"scope", "scp", "roles", "groups", "cognito:groups", "realm_access"})
ISSUERS = {issuer.url: issuer for issuer in (FIRST, SECOND)}


def policy() -> TokenPolicy:
    second = {
        "issuer": SECOND.url,
        "audiences": [SECOND.audience],
        "tenants": [OTHER_TENANT],
        "scopes": sorted(SECOND_MAY_GIVE),
        "roles": sorted(SECOND_MAY_GIVE),
        # Its audience is one of its clients, so its ID tokens have this audience too.
        "client_ids": [SECOND.audience],
        "claims": {"roles": ["roles", "groups", "realm_access.roles"], "tenant": ["tenant_id", "organization"]},
        # `EdDSA` includes the other name of the same algorithm.
        "algorithms": [alg for alg in SECOND.keys if alg != "Ed25519"],
    }
    return token_policy(
        {
            "OIDC_ISSUER_URL": FIRST.url,
            "OIDC_AUDIENCE": FIRST.audience,
            "TRUSTED_ISSUERS": json.dumps([second]),
            "JWT_LEEWAY_SECONDS": str(LEEWAY),
        }
    )


def now() -> float:
    """Return a fixed time, so that findings stay reproducible."""
    return NOW


def _keys_of(issuer: Issuer) -> CachedIssuerKeys:
    def unreachable(timeout: float) -> Mapping[str, object]:
        raise AssertionError(f"the fuzzers must not fetch ({timeout} s)")

    keys = KeySet.parse({"keys": [*issuer.published]})
    timings = Timings(ttl=1e9, max_age=1e9, unknown_kid_burst=0)
    return CachedIssuerKeys(issuer.url, unreachable, timings=timings, bundle=lambda: Bundle(keys, NOW), clock=now)


def key_cache() -> JwksCache:
    return JwksCache({url: _keys_of(issuer) for url, issuer in ISSUERS.items()})


def verifier() -> TokenVerifier:
    return TokenVerifier(policy(), key_cache(), clock=now)


def credential() -> BearerCredential:
    return BearerCredential(verifier(), policy())


def good_claims(issuer: Issuer, **changes: object) -> dict[str, object]:
    claims: dict[str, object] = {
        "iss": issuer.url,
        "sub": "user-1",
        "aud": issuer.audience,
        "iat": NOW - 10,
        "exp": NOW + 600,
        "jti": "token-1",
        "client_id": "a-client",
        "scope": "orders:read orders:write",
        "tenant_id": issuer.tenant,
    }
    return claims | changes
