"""Mutations of the signing key, the algorithm and the signature's bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from fuzz.building import Base, Case, b64, joined, json_bytes, pick, with_signature
from fuzz.keys import CURVES, KIND_OF_ALGORITHM, hmac_signer, jwk, private_key, public_spellings, signer
from fuzz.mutate_members import mutate_claims
from fuzz.world import BEYOND_THE_BOUND, FIRST, ISSUERS, SECOND, good_claims
from tenantgate.tokens.jws import decode_base64url

_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def _claims(rng: Random, base: Base) -> bytes:
    return json_bytes(_members(rng, base))


def _members(rng: Random, base: Base) -> Mapping[str, object]:
    return base.claims if rng.random() < 0.6 else mutate_claims(rng, {**base.claims})


def foreign_key(rng: Random, base: Base) -> Case:
    """Sign with another key of the right kind, under the valid `kid`, its own, another issuer's, or no `kid`."""
    kind = KIND_OF_ALGORITHM[base.alg]
    known = (*FIRST.keys.values(), *SECOND.keys.values())
    others = [f"{kind}-foreign", *(key for key in known if key.startswith(f"{kind}-"))]
    name = pick(rng, [other for other in others if other != base.issuer.keys[base.alg]])
    header = {**base.header}
    draw = rng.random()
    if draw < 0.3:
        header["kid"] = name
    elif draw < 0.4:
        header.pop("kid", None)
    elif draw < 0.6:
        header |= {"kid": name, "jwk": jwk(name)}
    claims = _members(rng, base)
    signing_input = joined(json_bytes(header), json_bytes(claims))
    # Mutated claims may name the issuer of the signing key: then the token is genuine.
    issuer = ISSUERS.get(str(claims.get("iss")))
    is_own = issuer is not None and name in issuer.keys.values()
    return Case(with_signature(signing_input, name, base.alg), signing_input if is_own else None)


# By kid: published keys that must not verify anything, and whose private keys an attacker might have.
_DISTRUSTED = (
    ("rsa1024-weak", "rsa1024-weak", "RS256"),
    ("rsa-enc", "rsa-foreign", "RS256"),
    ("rsa-sign-only", "rsa-foreign", "RS256"),
    ("rsa-says-hmac", "rsa-foreign", "RS256"),
    ("rsa-says-none", "rsa-foreign", "PS256"),
    ("rsa-with-d", "rsa-foreign", "RS256"),
    ("p256-enc", "p256-foreign", "ES256"),
    ("p256-says-p384", "p256-foreign", "ES256"),
    ("p256-off-curve", "p256-foreign", "ES256"),
    ("ed25519-enc", "ed25519-foreign", "EdDSA"),
    ("ed25519-zero", "ed25519-foreign", "EdDSA"),
    ("ed25519-one", "ed25519-foreign", "EdDSA"),
)
_QUICK_DISTRUSTED = tuple(entry for entry in _DISTRUSTED if not entry[1].startswith("rsa-"))


def distrusted_key(rng: Random, base: Base) -> Case:
    """Sign with a published key that is weak, broken, or for another purpose."""
    kid, name, alg = pick(rng, _QUICK_DISTRUSTED if rng.random() < 0.95 else _DISTRUSTED)
    if rng.random() < 0.2:
        alg = pick(rng, list(FIRST.keys))
    header = json_bytes({**base.header, "alg": alg, "kid": kid})
    name = name if KIND_OF_ALGORITHM[alg] == name.partition("-")[0] else f"{KIND_OF_ALGORITHM[alg]}-foreign"
    name = "ed25519-foreign" if name.startswith("rsa-") and rng.random() < 0.9 else name
    signing_input = joined(header, _claims(rng, base))
    if kid in ("ed25519-zero", "ed25519-one") and rng.random() < 0.5:
        # Any signature can be made to fit a point of small order.
        return Case(
            f"{signing_input}.{b64(pick(rng, (bytes(64), b'\x01' + bytes(63), b'\x01' + bytes(31) + bytes(32))))}"
        )
    return Case(with_signature(signing_input, name, alg if not name.startswith("ed") else "EdDSA"))


def same_kid(rng: Random, base: Base) -> Case:
    """Use a `kid` with several keys: sign with one of them, with one beyond the limit, or with any other key."""
    kid = pick(rng, list(FIRST.shared))
    alg = pick(rng, ("ES256", "EdDSA", "Ed25519"))
    own, kind = FIRST.names_of(kid, alg), KIND_OF_ALGORITHM[alg]
    others = [f"{kind}-foreign", f"{kind}-1", *([BEYOND_THE_BOUND] if kind == "p256" else [])]
    is_own = bool(own) and rng.random() < 0.6
    header = json_bytes({"alg": alg, "kid": kid, "typ": "at+jwt"})
    signing_input = joined(header, json_bytes(good_claims(FIRST, jti=f"{rng.random()}")))
    whole = with_signature(signing_input, pick(rng, own if is_own else others), alg)
    return Case(whole, signing_input if is_own else None, must_pass=is_own)


@cache
def _secrets() -> tuple[bytes, ...]:
    spellings = [spelling for name in FIRST.keys.values() for spelling in public_spellings(name)]
    texts = [str(key.get(member, "")).encode() for key in FIRST.published for member in ("n", "x", "k")]
    return (*spellings, *texts, b"", b"0" * 32, b"secret", b"null")


def hmac_confusion(rng: Random, base: Base) -> Case:
    """Sign with an HMAC keyed with public data (RFC 8725 §2.1), under an HMAC's name or the key's own algorithm."""
    alg = pick(rng, ("HS256", "HS384", "HS512"))
    said = alg if rng.random() < 0.6 else base.alg
    kid = base.header.get("kid") if rng.random() < 0.7 else pick(rng, ("oct-1", "rsa-says-hmac", "rsa-1"))
    header = {**base.header, "alg": said} | ({"kid": kid} if kid is not None else {})
    signing_input = joined(json_bytes(header), _claims(rng, base))
    return Case(f"{signing_input}.{b64(hmac_signer(pick(rng, _secrets()), alg)(signing_input.encode()))}")


def no_signature(rng: Random, base: Base) -> Case:
    alg = pick(rng, ("none", "None", "NONE", "nOnE", "", "null", base.alg))
    signing_input = joined(json_bytes({**base.header, "alg": alg}), _claims(rng, base))
    return Case(f"{signing_input}.{pick(rng, ('', 'AA', 'A' * 86, base.segments[2]))}")


def another_algorithm(rng: Random, base: Base) -> Case:
    """Sign with the issuer's key, but with another algorithm than the header names."""
    said = pick(rng, list(FIRST.keys))
    kid = pick(rng, list(FIRST.keys.values())) if rng.random() < 0.4 else base.issuer.keys.get(said, "rsa-1")
    header = json_bytes({**base.header, "alg": said, "kid": kid})
    signing_input = joined(header, _claims(rng, base))
    really = pick(rng, ("ES256", "EdDSA"))
    key = base.issuer.keys[really]
    whole = with_signature(signing_input, key, really)
    # By chance, the algorithm and the key may match the header.
    same = KIND_OF_ALGORITHM[said] == KIND_OF_ALGORITHM[really] and kid == key
    return Case(whole, signing_input if same else None)


def other_bytes_signed(rng: Random, base: Base) -> Case:
    """Sign something similar to the signing input with the issuer's key."""
    header, payload = json_bytes(base.header), _claims(rng, base)
    signing_input = joined(header, payload)
    close = (
        header + b"." + payload,
        payload,
        b64(payload).encode(),
        f"{signing_input}.".encode(),
        signing_input.replace(".", "").encode(),
        f"{b64(payload)}.{b64(header)}".encode(),
        b"",
    )
    signed = pick(rng, close)
    return Case(f"{signing_input}.{b64(signer(base.issuer.keys[base.alg], base.alg)(signed))}")


type _Edit = Callable[[Random, bytes, str], bytes]
"""The random numbers, the valid signature and its algorithm."""


def _bit(rng: Random, signature: bytes, alg: str) -> bytes:
    spot = int(rng.random() * len(signature))
    return signature[:spot] + bytes([signature[spot] ^ 1 << int(rng.random() * 8)]) + signature[spot + 1 :]


def _length(rng: Random, signature: bytes, alg: str) -> bytes:
    half = len(signature) // 2
    lengths = (
        signature[:-1],
        signature[1:],
        signature + b"\x00",
        b"\x00" + signature,
        signature[:half],
        signature * 2,
        signature[:half] + b"\x00" + signature[half:],
        b"\x00" * 32 + signature,
        signature + signature[:1],
        signature[: int(rng.random() * len(signature))],
    )
    return pick(rng, lengths)


def _special(rng: Random, signature: bytes, alg: str) -> bytes:
    size = len(signature)
    half = size // 2
    ff, one = b"\xff" * size, (1).to_bytes(half)
    halves = [bytes(half), one, signature[:half], signature[half:], b"\xff" * half]
    if KIND_OF_ALGORITHM[alg] in CURVES:
        order = CURVES[KIND_OF_ALGORITHM[alg]].group_order
        halves += [order.to_bytes(half), (order - 1).to_bytes(half)]
    return pick(rng, (bytes(size), ff, one.rjust(size, b"\x00"), pick(rng, halves) + pick(rng, halves)))


def _arithmetic(rng: Random, signature: bytes, alg: str) -> bytes:
    """Use another number that is equivalent without a range check; n - s of ECDSA is in fact valid."""
    half = len(signature) // 2
    if KIND_OF_ALGORITHM[alg] == "ed25519":
        s = int.from_bytes(signature[half:], "little") + _ED25519_ORDER * pick(rng, (1, 2, 7))
        return signature[:half] + (s % 2**256).to_bytes(32, "little")
    if KIND_OF_ALGORITHM[alg] in CURVES:
        order = int(CURVES[KIND_OF_ALGORITHM[alg]].group_order)
        r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        pairs = ((r, order - s), (order - r, s), (r + order, s), (r, s + order), (s, r))
        r, s = pick(rng, pairs)
        if rng.random() < 0.2:
            return encode_dss_signature(r, s)
        limit = 1 << 8 * half
        return (r % limit).to_bytes(half) + (s % limit).to_bytes(half)
    public = private_key("rsa-1").public_key()
    assert isinstance(public, rsa.RSAPublicKey)  # noqa: S101
    modulus, number = public.public_numbers().n, int.from_bytes(signature)
    other = pick(rng, (number + modulus, modulus - number, number + 2 * modulus, number ^ 1))
    return other.to_bytes((other.bit_length() + 7) // 8)


_SIGNATURE_EDITS: tuple[_Edit, ...] = (_bit, _length, _special, _arithmetic)


def signature_bytes(rng: Random, base: Base) -> Case:
    """Change bytes of the valid signature. The signing input stays the issuer's, even if the token is accepted."""
    header, payload, signature = base.segments
    changed = pick(rng, _SIGNATURE_EDITS)(rng, decode_base64url(signature, "signature"), base.alg)
    return Case(f"{header}.{payload}.{b64(changed)}")
