"""An issuer for tests: its keys, its tokens, good or in any way bad, and a clock that stands still."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import TokenPolicy, token_policy
from tenantgate.tokens.verifier import TokenVerifier

ISSUER = "https://issuer.example.test/tenantgate"
AUDIENCE = "tenantgate-api"
TENANT = "org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4b"
NOW = 1_790_000_000

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
type Claims = dict[str, object]


class StandingClock:
    """Epoch seconds that pass only when told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@cache
def private_key(kid: str) -> PrivateKey:
    """One key for each kid; what comes before the first dash says its kind: rsa, rsa1024, p256, p384, p521, ed25519."""
    kind = kid.partition("-")[0]
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


def public_jwk(kid: str, **members: object) -> dict[str, object]:
    """The public JWK of a kid; a member set to None is left out."""
    public = private_key(kid).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    whole = {**jwk, "kid": kid, "use": "sig", **members}
    return {name: value for name, value in whole.items() if value is not None and name != "key_ops"} | (
        {"key_ops": members["key_ops"]} if "key_ops" in members else {}
    )


ALGORITHM_KEYS = {
    "RS256": "rsa-1",
    "RS384": "rsa-1",
    "RS512": "rsa-1",
    "PS256": "rsa-1",
    "PS384": "rsa-1",
    "PS512": "rsa-1",
    "ES256": "p256-1",
    "ES384": "p384-1",
    "ES512": "p521-1",
    "EdDSA": "ed25519-1",
}


def public_jwks(*kids: str) -> dict[str, object]:
    """A JWK set of these kids; without any, of one key for each algorithm."""
    return {"keys": [public_jwk(kid) for kid in kids or dict.fromkeys(ALGORITHM_KEYS.values())]}


def good_claims(now: int = NOW, **changes: object) -> Claims:
    """An access token's claims; a change to None leaves the claim out, `null()` makes it null."""
    claims: Claims = {
        "iss": ISSUER,
        "sub": "user-1",
        "aud": AUDIENCE,
        "iat": now - 10,
        "exp": now + 600,
        "jti": "token-1",
        "client_id": "a-client",
        "scope": "orders:read orders:write",
        "tenant_id": TENANT,
    } | changes
    return {name: (None if value is NULL else value) for name, value in claims.items() if value is not None}


NULL = object()


def sign(claims: Mapping[str, object], alg: str = "RS256", *, kid: str | None = None, **header: object) -> str:
    """A token by the key of `alg`, or of `kid` when given. Header members set to None are left out."""
    signing_kid = kid or ALGORITHM_KEYS[alg]
    members = {"alg": alg, "kid": signing_kid, "typ": "at+jwt", **header}
    return sign_raw(
        json.dumps({name: value for name, value in members.items() if value is not None}),
        json.dumps(claims),
        alg,
        signing_kid,
    )


def sign_raw(header: str | bytes, payload: str | bytes, alg: str = "RS256", kid: str | None = None) -> str:
    """Sign these very texts, however wrong they are."""
    signing_input = f"{b64(header)}.{b64(payload)}"
    return f"{signing_input}.{b64(raw_signature(signing_input, alg, kid or ALGORITHM_KEYS[alg]))}"


def raw_signature(signing_input: str, alg: str, kid: str) -> bytes:
    algorithm = jwt.get_algorithm_by_name(alg)
    return algorithm.sign(signing_input.encode(), private_key(kid))


def b64(data: str | bytes) -> str:
    return urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def policy_of(**variables: str) -> TokenPolicy:
    """The policy of the issuer above; variables in lower or upper case."""
    values = {"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "ENVIRONMENT": "test"}
    return token_policy(values | {name.upper(): value for name, value in variables.items()})


def static_keys(
    jwks: Mapping[str, object], *, clock: Callable[[], float], issuers: tuple[str, ...] = (ISSUER,)
) -> JwksCache:
    """A key cache that holds this key set and can't fetch."""

    def unreachable(timeout: float) -> Mapping[str, object]:
        raise AssertionError(f"nothing is fetched here ({timeout} s)")

    timings = Timings(ttl=1e9, max_age=1e9, unknown_kid_burst=0)
    return JwksCache(
        {
            issuer: CachedIssuerKeys(
                issuer,
                unreachable,
                timings=timings,
                bundle=lambda: Bundle(KeySet.parse(jwks), clock()),
                clock=clock,
            )
            for issuer in issuers
        }
    )


def static_verifier(
    jwks: Mapping[str, object] | None = None, *, clock: Callable[[], float] | None = None, **variables: str
) -> TokenVerifier:
    """A verifier of the test policy over a fixed key set."""
    ticking = clock or StandingClock()
    policy = policy_of(**variables)
    issuers = tuple(issuer.issuer for issuer in policy.issuers)
    return TokenVerifier(policy, static_keys(jwks or public_jwks(), clock=ticking, issuers=issuers), clock=ticking)
