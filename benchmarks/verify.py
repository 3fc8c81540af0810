"""What verifying one token costs, as a ratio to the bare `public_key.verify` of the same run.

    python -m benchmarks.verify [--json] [--rounds N]

Every token of a run is another one, so that only the line "hit" sees one twice. Floor and verifier take turns, and the
best round of each counts: the machine's other work slows both.
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
from tenantgate.access.bearer import BearerCredential
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import token_policy
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.tokens.wiring import tenant_extractor

ISSUER = "https://issuer.example.test/"
GOALS = {"RS256": 1.4, "ES256": 1.2, "EdDSA": 1.1, "hit (RS256)": 0.08}
_TOKENS = 400


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


def _algorithms() -> dict[str, Algorithm]:
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


def _credential(jwks: dict[str, object]) -> BearerCredential:
    policy = token_policy({"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": "tenantgate-api"})

    def unreachable(timeout: float) -> dict[str, object]:
        raise AssertionError("a benchmark fetches nothing")

    keys = CachedIssuerKeys(
        ISSUER, unreachable, timings=Timings(), bundle=lambda: Bundle(KeySet.parse(jwks), time.time())
    )
    return BearerCredential(TokenVerifier(policy, JwksCache({ISSUER: keys})), tenant_extractor(policy))


def _token(name: str, algorithm: Algorithm, number: int) -> str:
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


def _signed_and_signature(token: str, name: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.rpartition(".")
    raw = jwt.utils.base64url_decode(signature)
    if name.startswith("ES"):
        half = len(raw) // 2
        raw = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
    return signed.encode(), raw


def _seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(rounds: int) -> list[Figure]:
    """Figures in microseconds for one token, the best of `rounds` rounds of 400 tokens."""
    algorithms = _algorithms()
    jwks: dict[str, object] = {"keys": [a.jwk | {"kid": name, "use": "sig"} for name, a in algorithms.items()]}
    figures = []
    for name, algorithm in algorithms.items():
        tokens = [_token(name, algorithm, number) for number in range(_TOKENS)]
        signed = [_signed_and_signature(token, name) for token in tokens]
        floor, ours, hit = [], [], []
        for _ in range(rounds):
            # A new credential each round: its memo is empty.
            credential = _credential(jwks)
            credential.principal(_token(name, algorithm, _TOKENS))
            floor.append(_seconds(lambda pairs=signed: [algorithm.floor(s, m) for m, s in pairs]))  # type: ignore[misc]
            ours.append(_seconds(lambda c=credential: [c.principal(token) for token in tokens]))  # type: ignore[misc]
            hit.append(_seconds(lambda c=credential: [c.principal(token) for token in tokens]))  # type: ignore[misc]
        each = 1e6 / _TOKENS
        figures.append(Figure(name, min(floor) * each, min(ours) * each, GOALS[name]))
        figures.append(Figure(f"hit ({name})", min(floor) * each, min(hit) * each, GOALS.get(f"hit ({name})")))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=25, help="rounds; the best one counts (25)")
    options = parser.parse_args()
    figures = measure(options.rounds)
    if options.json:
        rows = [figure._asdict() | {"ratio": round(figure.ratio, 3)} for figure in figures]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    sys.stdout.write(f"{'':14}{'floor µs':>10}{'ours µs':>10}{'× floor':>10}{'goal':>8}\n")
    for figure in figures:
        goal = "" if figure.goal is None else f"{figure.goal:.2f}"
        row = f"{figure.name:14}{figure.floor_us:10.1f}{figure.ours_us:10.1f}{figure.ratio:10.3f}{goal:>8}\n"
        sys.stdout.write(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
