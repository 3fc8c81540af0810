"""The cost of verifying one token, as a ratio to the bare `public_key.verify` in the same run.

    python -m benchmarks.verify [--json] [--rounds N]

Each round has a new verifier and 50 different tokens, so only the lines "hit" see a token for the second time. The bare
verify and the verifier alternate, and the best round of each counts, because other load on the machine slows both. The
lines "principal" also include the tenant and the principal, which every request needs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tenantgate.identity.bearer import BearerCredential
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import token_policy
from tenantgate.tokens.verifier import TokenVerifier

ISSUER = "https://issuer.example.test/"
GOALS = {"RS256": 1.4, "ES256": 1.2, "EdDSA": 1.1, "hit (RS256)": 0.08}
TOKENS = 50
POLICY = token_policy({"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": "tenantgate-api"})


class Figure(NamedTuple):
    name: str
    floor_us: float
    ours_us: float
    goal: float | None

    @property
    def ratio(self) -> float:
        return self.ours_us / self.floor_us


class Algorithm(NamedTuple):
    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    jwk: dict[str, object]
    floor: Callable[[bytes, bytes], None]


def all_algorithms() -> dict[str, Algorithm]:
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    ed_key = ed25519.Ed25519PrivateKey.generate()
    rsa_public, ec_public, ed_public = rsa_key.public_key(), ec_key.public_key(), ed_key.public_key()
    scheme, digest, ecdsa = padding.PKCS1v15(), hashes.SHA256(), ec.ECDSA(hashes.SHA256())
    return {
        "RS256": Algorithm(
            rsa_key,
            RSAAlgorithm.to_jwk(rsa_public, as_dict=True),
            lambda signature, signed: rsa_public.verify(signature, signed, scheme, digest),
        ),
        "ES256": Algorithm(
            ec_key,
            ECAlgorithm.to_jwk(ec_public, as_dict=True),
            lambda signature, signed: ec_public.verify(signature, signed, ecdsa),
        ),
        "EdDSA": Algorithm(ed_key, OKPAlgorithm.to_jwk(ed_public, as_dict=True), ed_public.verify),
    }


def new_verifier(jwks: dict[str, object]) -> TokenVerifier:
    def unreachable(timeout: float) -> dict[str, object]:
        raise AssertionError(f"a benchmark must not fetch ({timeout} s)")

    keys = CachedIssuerKeys(
        ISSUER, unreachable, timings=Timings(), bundle=lambda: Bundle(KeySet.parse(jwks), time.time())
    )
    return TokenVerifier(POLICY, JwksCache({ISSUER: keys}))


def new_token(name: str, algorithm: Algorithm, number: int) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": f"user-{number:08}",
        "aud": "tenantgate-api",
        "iat": now,
        "exp": now + 3600,
        "jti": f"{number:032x}",
        "client_id": "a-client",
        "scope": "openid orders:read orders:write",
        "tenant_id": "org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4b",
    }
    return jwt.encode(claims, algorithm.private_key, name, {"kid": name, "typ": "at+jwt"})


def signed_and_signature(token: str, name: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.rpartition(".")
    raw = jwt.utils.base64url_decode(signature)
    if name.startswith("ES"):
        half = len(raw) // 2
        raw = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
    return signed.encode(), raw


def seconds_each[T](check: Callable[[T], object], values: list[T]) -> float:
    """Return the average time of `check` for `values` in seconds."""
    started = time.perf_counter()
    for value in values:
        check(value)
    return (time.perf_counter() - started) / len(values)


def floor_seconds_each(algorithm: Algorithm, signed: list[tuple[bytes, bytes]]) -> float:
    """Return the average time of the bare verify for results of `signed_and_signature` in seconds."""
    verify = algorithm.floor
    started = time.perf_counter()
    for message, signature in signed:
        verify(signature, message)
    return (time.perf_counter() - started) / len(signed)


def measure(rounds: int) -> list[Figure]:
    """Measure one token in microseconds; the best of `rounds` rounds of 50 tokens counts."""
    algorithms = all_algorithms()
    jwks: dict[str, object] = {"keys": [a.jwk | {"kid": name, "use": "sig"} for name, a in algorithms.items()]}
    figures = []
    for name, algorithm in algorithms.items():
        tokens = [new_token(name, algorithm, number) for number in range(TOKENS)]
        signed = [signed_and_signature(token, name) for token in tokens]
        best = dict.fromkeys(("floor", name, f"hit ({name})", f"principal ({name})"), 1.0)
        for _ in range(rounds):
            verifier = new_verifier(jwks)
            credential = BearerCredential(new_verifier(jwks), POLICY)
            for check in (verifier.verify, credential.principal):
                check(new_token(name, algorithm, TOKENS))
            seconds = {
                "floor": floor_seconds_each(algorithm, signed),
                name: seconds_each(verifier.verify, tokens),
                f"hit ({name})": seconds_each(verifier.verify, tokens),
                f"principal ({name})": seconds_each(credential.principal, tokens),
            }
            best = {part: min(value, seconds[part]) for part, value in best.items()}
        floor = best.pop("floor")
        figures += [Figure(part, floor * 1e6, value * 1e6, GOALS.get(part)) for part, value in best.items()]
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=200, help="rounds; the best one counts (200)")
    options = parser.parse_args()
    figures = measure(options.rounds)
    if options.json:
        rows = [figure._asdict() | {"ratio": round(figure.ratio, 3)} for figure in figures]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    sys.stdout.write(f"{'':20}{'floor µs':>10}{'ours µs':>10}{'× floor':>10}{'goal':>8}\n")
    for figure in figures:
        goal = "" if figure.goal is None else f"{figure.goal:.2f}"
        row = f"{figure.name:20}{figure.floor_us:10.1f}{figure.ours_us:10.1f}{figure.ratio:10.3f}{goal:>8}\n"
        sys.stdout.write(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
