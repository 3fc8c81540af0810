"""The keys of the fuzzed world. Each is derived from its name, so that a finding can be replayed by another process."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
type Jwk = dict[str, object]
type Sign = Callable[[bytes], bytes]

CURVES: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
KIND_OF_ALGORITHM = (
    {"ES256": "p256", "ES384": "p384", "ES512": "p521"}
    # Two names for one algorithm (RFC 8037, RFC 9864).
    | {"EdDSA": "ed25519", "Ed25519": "ed25519"}
    | dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "rsa")
)
_HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_SMALL_PRIMES = math.prod(n for n in range(3, 2000, 2) if all(n % d for d in range(3, math.isqrt(n) + 1, 2)))


def _bits_of(name: str, bits: int) -> int:
    return int.from_bytes(hashlib.shake_256(name.encode()).digest(bits // 8))


@cache
def _prime(name: str, bits: int) -> int:
    candidate = _bits_of(name, bits) | 3 << (bits - 2) | 1
    while math.gcd(candidate, _SMALL_PRIMES) > 1 or any(pow(base, candidate - 1, candidate) != 1 for base in (2, 3, 5)):
        candidate += 2
    return candidate


def _rsa(name: str, bits: int) -> rsa.RSAPrivateKey:
    p, q, e = _prime(f"{name} p", bits // 2), _prime(f"{name} q", bits // 2), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, p * q)).private_key()


@cache
def private_key(name: str) -> PrivateKey:
    """Return the key of this name; the part before the dash is its kind: rsa, rsa1024, p256, p384, p521, ed25519."""
    kind = name.partition("-")[0]
    if kind.startswith("rsa"):
        return _rsa(name, int(kind[3:] or 2048))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    curve = CURVES[kind]
    return ec.derive_private_key(_bits_of(name, 640) % (curve.group_order - 1) + 1, curve)


def jwk(name: str, **members: object) -> Jwk:
    """Return the public JWK with the name as its `kid`; a member set to None is omitted."""
    public = private_key(name).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        whole = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        whole = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        whole = OKPAlgorithm.to_jwk(public, as_dict=True)
    whole.pop("key_ops", None)
    return {key: value for key, value in ({**whole, "kid": name, "use": "sig"} | members).items() if value is not None}


def public_spellings(name: str) -> list[bytes]:
    """Return the encodings that a confused verifier might use as an HMAC secret (RFC 8725 §2.1)."""
    public = private_key(name).public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return [public.public_bytes(Encoding.Raw, PublicFormat.Raw)]
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.strip(), public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]


def hmac_signer(secret: bytes, alg: str) -> Sign:
    name = f"sha{alg[2:]}"
    return lambda signed: hmac.digest(secret, signed, name)


@cache
def signer(name: str, alg: str) -> Sign:
    """Return the signing function of this key for `alg` (RFC 7518 §3, RFC 8037 §3.1)."""
    key = private_key(name)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    digest = _HASHES[alg[2:]]
    if isinstance(key, rsa.RSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if alg[0] == "P" else padding.PKCS1v15()
        return lambda signed: key.sign(signed, scheme, digest)
    ecdsa, size = ec.ECDSA(digest, deterministic_signing=True), (key.curve.key_size + 7) // 8

    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ecdsa))
        return r.to_bytes(size) + s.to_bytes(size)

    return sign
